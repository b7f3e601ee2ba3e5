"""The plans' targets beside what is counted towards them."""

import datetime
from collections.abc import Iterable, Iterator
from decimal import Decimal

import sqlalchemy as sa

from kernel.dates import ONE_DAY, from_date
from kernel.pack import Counting, Pack, Plan, Target
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.counting import DAYS, Candidate, Families, countable, counted
from services.reports.store import FACT
from services.reports.views import View, said, true_on

OPERATORS = {
    ">": pb.OPERATOR_MORE_THAN,
    ">=": pb.OPERATOR_AT_LEAST,
    "about": pb.OPERATOR_ABOUT,
    "<=": pb.OPERATOR_AT_MOST,
    "<": pb.OPERATOR_LESS_THAN,
}
MOST = 1000
"""So many records are listed with a target; all are counted."""
BASES = {"statistic": pb.BASIS_STATISTIC}


def boards(tx: sa.Connection, view: View, pack: Pack) -> list[pb.PlanBoard]:
    """Return the boards of the plans in force on the month's last day, in the pack's order."""
    return [_board(tx, plan, view, pack) for plan in pack.plans.on(view.as_of)]


def _board(tx: sa.Connection, plan: Plan, view: View, pack: Pack) -> pb.PlanBoard:
    targets = [_target(tx, target, view, pack) for target in plan.targets]
    return pb.PlanBoard(plan=plan.id, title=pb.Text(en=plan.en, zh=plan.zh), targets=targets)


def counted_targets(pack: Pack, day: datetime.date) -> Iterator[tuple[str, Target]]:
    """Yield (plan's id, target) of what is counted here, of the plans in force on the day."""
    for plan in pack.plans.on(day):
        yield from ((plan.id, target) for target in plan.targets if countable(target.counting))


def _target(tx: sa.Connection, target: Target, view: View, pack: Pack) -> pb.Target:
    message = pb.Target(
        id=target.id,
        title=pb.Text(en=target.en, zh=target.zh),
        operator=OPERATORS.get(target.operator, pb.OPERATOR_UNSPECIFIED),
        value=f"{target.value:f}",
        unit=pb.Text(en=target.unit, zh=target.unit_zh),
        basis=BASES.get(target.counting.method, pb.BASIS_NO_REGISTRY),
        standing=pb.STANDING_UNKNOWN,
        rule=pb.Text(en=target.counting.en, zh=target.counting.zh),
    )
    if countable(target.counting):
        _count(message, target, counting_ones(tx, target.counting, view, pack), view.as_of)
    return message


def counting_ones(tx: sa.Connection, counting: Counting, view: View, pack: Pack) -> list[Candidate]:
    """Return the records that count as of the month's last day, by name."""
    return counted(counting, _candidates(tx, counting, view), pack, view.as_of)


def families(tx: sa.Connection, counting: Counting, view: View, names: Iterable[str]) -> set[str]:
    """Return some records and those that they went into or that went into them: where these count as one, any of them decides
    which of the others counts.
    """
    every = list(_candidates(tx, counting, view))
    family_of = Families(every)
    wanted = {family_of(name) for name in names}
    return {one.record for one in every if family_of(one.record) in wanted}


def _candidates(tx: sa.Connection, counting: Counting, view: View) -> Iterable[Candidate]:
    """Yield what may count, and what ties records to one another."""
    name = DAYS[counting.registry, counting.date_field]
    since = (counting.since or datetime.date.min).isoformat()
    counting_once = sa.select(FACT.c.record).where(said(name), FACT.c[name] >= since)
    tied_once = sa.select(FACT.c.record).where(said("successors"))
    rows = true_on(view.last, view.known, sa.union(counting_once, tied_once))
    day = rows.c[name]
    columns = (rows.c[name] for name in ("record", "title", "to_state", "kind", "level"))
    statement = sa.select(
        *columns, rows.c.successors, rows.c.reached, day, rows.c.source, rows.c.position
    ).where(
        rows.c.collection == counting.registry,
        sa.or_(day >= since, rows.c.successors != ""),
    )
    for row in tx.execute(statement):
        yield Candidate._make((*row[:5], tuple(row[5].split()), *row[6:]))


def _count(message: pb.Target, target: Target, found: list[Candidate], day: datetime.date) -> None:
    number = len(found)
    message.basis = pb.BASIS_COUNTED
    message.counted = number
    message.standing = standing(message.operator, number, target.value)
    message.permille = int(number * 1000 / target.value) if target.value else 0
    if target.counting.since:
        message.forecast = forecast(number, target.counting.since, day, target.year)
    message.records.extend(shown(candidate) for candidate in found[:MOST])


def shown(candidate: Candidate) -> pb.Counted:
    """Return the record as the wire has it."""
    return pb.Counted(
        record=candidate.record,
        title=candidate.title,
        day=from_date(datetime.date.fromisoformat(candidate.day)),
        source=candidate.source,
        position=candidate.position,
    )


def standing(operator: pb.Operator.ValueType, number: int, value: Decimal) -> pb.Standing.ValueType:
    """Return how a number stands to a target.

    "About" is judged below, equal or above: no document says how near is near.
    """
    reached = {
        pb.OPERATOR_MORE_THAN: number > value,
        pb.OPERATOR_AT_LEAST: number >= value,
        pb.OPERATOR_AT_MOST: number <= value,
        pb.OPERATOR_LESS_THAN: number < value,
    }.get(operator, number == value)
    if reached:
        return pb.STANDING_REACHED
    return pb.STANDING_BELOW if number <= value else pb.STANDING_ABOVE


def forecast(number: int, since: datetime.date, day: datetime.date, year: int) -> int:
    """Return the number on the year's last day at the pace since the first day that counts, both
    days counted, rounded down.
    """
    end = datetime.date(year, 12, 31)
    if day >= end or day < since:
        return number
    passed, whole = (day + ONE_DAY - since).days, (end + ONE_DAY - since).days
    return number * whole // passed
