"""What the department that leads a record owes of it, by its kind. Pure."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kernel.dates import business_date, from_date
from kernel.pack import Pack
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies

Duty = pb.InboxItem
A, B = funding.Application.State, technologies.Breakthrough.State
P = platforms.Platform.State
ACCEPT_WITHIN = 5
"""Working days until what arrived is accepted or refused, as in the lifecycles (Administrative Licensing Law, article 32)."""
MOST_TEXT = 300  # characters of a text
UNDER_WAY = frozenset(
    {A.STATE_APPROVED, A.STATE_CONTRACTED, A.STATE_IN_PROGRESS, A.STATE_ACCEPTANCE_FAILED}
)
"""Awarded, and nobody has asked for its acceptance."""


def entries_of(record: Any, pack: Pack) -> list[pb.AgendaEntry]:
    """Return what is owed; nothing for a kind of record that owes nothing."""
    made = OWED.get(collection_of(record.name))
    return list(made(record, pack)) if made else []


def collection_of(name: str) -> str:
    return name.partition("/")[0]


def _application(record: funding.Application, pack: Pack) -> Iterator[pb.AgendaEntry]:
    for override in record.overrides:
        if not override.decided_by:
            said = f"{override.rule}: {override.reason}"
            how = f"--number {override.number} --granted|--no-granted --reason …"
            yield _entry(record, Duty.DUTY_OVERRIDE, "decide-override", how, said, override.number)
    if record.state == A.STATE_RECOMMENDED:
        yield _step(record, "accept", within=ACCEPT_WITHIN)
    if record.state == A.STATE_JOINTLY_REVIEWED:
        yield _step(record, "publish-notice")
    if record.state == A.STATE_IN_PUBLIC_NOTICE:
        yield from _in_notice(record, "number", "approve", "--document-number … --approved-fen …")
    if record.state in UNDER_WAY and record.end_date.year:
        entry = _entry(record, Duty.DUTY_OVERDUE, "change-end-date", "--end-date … --reason …")
        entry.due_date.CopyFrom(record.end_date)
        yield entry


def compared(record: Any) -> int:
    """Return the revision that duplicates were sought of, where the award waits for that alone; 0 of every other record.

    Whoever is told has been told of the findings before: the search follows the same events in the same order.
    """
    if not isinstance(record, funding.Application) or record.joint_review.asked_revision:
        return 0
    over = record.state == A.STATE_IN_PUBLIC_NOTICE and record.public_notice.HasField("close_date")
    waits = over and record.duplicate_check.basis_revision  # what was imported waits for nobody
    return int(record.revision) if waits else 0


def _platform(record: platforms.Platform, pack: Pack) -> Iterator[pb.AgendaEntry]:
    kind = pack.kind(record.kind) if record.kind in pack.kinds else None
    skips = kind.skips if kind else ()
    arrived = P.STATE_SUBMITTED if "recommendation" in skips else P.STATE_RECOMMENDED
    if record.state == arrived:
        yield _step(record, "accept", within=ACCEPT_WITHIN)
    if record.state == P.STATE_JOINTLY_REVIEWED and "public_notice" not in skips:
        yield _step(record, "publish-notice", "--start-date … --document …")
    if record.state == P.STATE_IN_PUBLIC_NOTICE:
        action = (kind.ending if kind else "recognize").replace("_", "-")
        yield from _in_notice(record, "objection-number", action, "--document-number …")


def _in_notice(record: Any, which: str, ending: str, how: str) -> Iterator[pb.AgendaEntry]:
    """Objections are answered within the notice; once it is over and nothing stands against it, somebody signs."""
    notice = record.public_notice
    for objection in notice.objections:
        if not _resolved(objection):
            said = getattr(objection, "text", "") or getattr(objection, "content", "")
            options = f"--{which} {objection.number} --upheld|--no-upheld --resolution …"
            entry = _entry(
                record, Duty.DUTY_OBJECTION, "resolve-objection", options, said, objection.number
            )
            entry.due_date.CopyFrom(notice.end_date)
            yield entry
    stands = any(not _resolved(each) or each.upheld for each in notice.objections)
    if notice.HasField("close_date") and not stands:
        yield _entry(record, Duty.DUTY_APPROVAL, ending, how)


def _resolved(objection: Any) -> bool:
    """Of an application it has a day, of a platform it says so."""
    if isinstance(objection, funding.Objection):
        return objection.HasField("resolve_date")
    return bool(objection.resolved)


def _breakthrough(record: technologies.Breakthrough, pack: Pack) -> Iterator[pb.AgendaEntry]:
    bids = [bid for bid in record.bids if bid.round == record.bidding_round]
    if record.state == B.STATE_BIDS_CLOSED and not any(map(_to_be_revealed, bids)):
        yield _entry(
            record, Duty.DUTY_APPROVAL, "select-bidder", "--bid … --document-number …", "评榜"
        )
    if record.state != B.STATE_IN_PROGRESS:
        return
    for milestone in record.milestones:
        if not milestone.verdict:
            how = f"--milestone {milestone.id} --verdict go|no_go --evidence …"
            entry = _entry(
                record, Duty.DUTY_MILESTONE, "reach-milestone", how, milestone.title, milestone.id
            )
            entry.due_date.CopyFrom(milestone.due_date)
            yield entry


def _to_be_revealed(bid: technologies.Bid) -> bool:
    opened = bid.HasField("reveal_date") or bid.HasField("lapse_date")
    return bool(bid.seal) and not bid.withdrawn and not opened


def _programme(record: funding.Programme, pack: Pack) -> Iterator[pb.AgendaEntry]:
    if record.state == funding.Programme.STATE_DRAFT and record.ceilings:
        yield _entry(record, Duty.DUTY_APPROVAL, "activate")


def _sanction(record: funding.Sanction, pack: Pack) -> Iterator[pb.AgendaEntry]:
    if record.state == funding.Sanction.STATE_DRAFT:
        yield _entry(record, Duty.DUTY_APPROVAL, "impose")


def _step(record: Any, action: str, how: str = "", within: int = 0) -> pb.AgendaEntry:
    """Return the step that a state waits for, since the change that led to it. `within`: working days; 0: none are set."""
    entry = _entry(record, Duty.DUTY_STEP, action, how)
    if within:
        entry.from_date.CopyFrom(from_date(business_date(record.update_time)))
        entry.working_days = within
    return entry


def _entry(
    record: Any,
    duty: "Duty.Duty.ValueType",
    action: str,
    how: str = "",
    text: str = "",
    key: object = "",
) -> pb.AgendaEntry:
    command = f"luoshu {action} {shlex.quote(record.name)} {how}".strip()
    return pb.AgendaEntry(duty=duty, key=str(key), text=text[:MOST_TEXT], command=command)


OWED: Mapping[str, Callable[[Any, Pack], Iterator[pb.AgendaEntry]]] = {
    "applications": _application,
    "platforms": _platform,
    "breakthroughs": _breakthrough,
    "programmes": _programme,
    "sanctions": _sanction,
}
"""By collection."""
