"""Statements out of the ledger: every amount is a sum of its entries up to one position of the journal."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel.case import Caller
from kernel.errors import Invalid
from kernel.lists import seen_by
from kernel.pages import Tokens
from kernel.store import Store
from luoshu.funding.v1 import funding_pb2 as pb

PAGE = 1000
OF_AWARDS = ("remaining", "held", "recovered", "outside")
OF_CEILINGS = ("available", "appropriated", "carried")


class Key(NamedTuple):
    """Whose money it is: in the order of an account's parts, and as people read it."""

    application: str
    programme: str
    year: int
    source: str
    department: str
    applicant: str
    title: str
    applicant_name: str
    programme_title: str


class Statements:
    """Answers from a service's ledger what its caller may see."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self._store, self._tokens = store, tokens
        ledger = store.tables.ledger
        assert ledger is not None  # noqa: S101 - funding declares a book
        self._entry = ledger.entry

    def state(
        self, tx: sa.Connection, request: pb.GetStatementRequest, caller: Caller
    ) -> pb.Statement:
        """Raises Invalid: a position that is still to come, or another list's page token."""
        asked = _asked(request)
        state = self._tokens.read(request.page_token, asked) if request.page_token else {}
        position = self._position(tx, state.get("position") or request.position)
        lines = list(_awards(self._sums(tx, OF_AWARDS, request, position, caller)))
        page = [line for line in lines if _place(line) > state.get("after", [])]
        size = request.page_size or PAGE
        statement = pb.Statement(position=position, awards=page[:size], award_count=len(lines))
        if len(page) > size:
            after = {"after": _place(page[size - 1]), "position": position}
            statement.next_page_token = self._tokens.make(asked, after)
        _sum_up(statement, lines)
        if not request.applicant:
            sums = self._sums(tx, OF_CEILINGS, request, position, caller)
            statement.ceilings.extend(_ceilings(sums))
        statement.balance_fen = self._balance(tx, position)
        return statement

    def _position(self, tx: sa.Connection, said: int) -> int:
        head = self._store.head(tx)
        if said > head:
            raise Invalid(
                f"position {said} is still to come; the journal stands at {head}",
                f"位置 {said} 尚未到达；日志目前为 {head}",
                field="position",
                reason="POSITION_IN_FUTURE",
            )
        return said or head

    def _balance(self, tx: sa.Connection, position: int) -> int:
        total = sa.func.coalesce(sa.func.sum(self._entry.c.fen), 0)
        return int(
            tx.execute(sa.select(total).where(self._entry.c.position <= position)).scalar_one()
        )

    def _sums(
        self,
        tx: sa.Connection,
        kinds: Iterable[str],
        request: pb.GetStatementRequest,
        position: int,
        caller: Caller,
    ) -> Mapping[Key, Mapping[str, int]]:
        """Return kind → fen for whatever the caller may see of what the request asks for."""
        found: dict[Key, dict[str, int]] = {}
        for row in tx.execute(self._question(kinds, request, position, caller)):
            *key, kind, fen = row
            source = row.source or row.own_source
            if fen and request.funding_source in ("", source):
                del key[4]
                key[3] = source
                found.setdefault(Key(*key), {})[kind] = int(fen)
        return found

    def _question(
        self, kinds: Iterable[str], request: pb.GetStatementRequest, position: int, caller: Caller
    ) -> sa.Select[Any]:
        entry = self._entry
        award = self._store.tables.records["applications"].alias("award")
        home = self._store.tables.records["programmes"].alias("home")
        lead = sa.func.coalesce(sa.func.nullif(entry.c.department, ""), home.c.lead_department, "")
        parts = (
            entry.c.application,
            entry.c.programme,
            entry.c.year,
            entry.c.funding_source.label("source"),
            sa.func.coalesce(home.c.funding_source, "").label("own_source"),
            lead.label("department"),
            entry.c.applicant,
            sa.func.coalesce(award.c.title, "").label("title"),
            sa.func.coalesce(award.c.applicant_unit_name, "").label("applicant_name"),
            sa.func.coalesce(home.c.title, "").label("programme_title"),
            entry.c.kind,
        )
        wanted = [entry.c.kind.in_(list(kinds)), entry.c.position <= position]
        for column, said in (
            (entry.c.programme, request.programme),
            (lead, request.department),
            (entry.c.applicant, request.applicant),
            (entry.c.year, request.year),
        ):
            if said:
                wanted.append(column == said)
        of_award, of_home = seen_by(award, caller), seen_by(home, caller)
        if of_award:
            seen = sa.case((entry.c.application == "", sa.and_(*of_home)), else_=sa.and_(*of_award))
            wanted.append(seen)
        joined = entry.outerjoin(award, award.c.name == entry.c.application).outerjoin(
            home, home.c.name == entry.c.programme
        )
        return (
            sa.select(*parts, sa.func.sum(entry.c.fen).label("fen"))
            .select_from(joined)
            .where(*wanted)
            .group_by(*parts)
            .order_by(entry.c.application, entry.c.programme, entry.c.year, entry.c.funding_source)
        )


def _asked(request: pb.GetStatementRequest) -> str:
    same = pb.GetStatementRequest()
    same.CopyFrom(request)
    same.ClearField("page_token")
    return same.SerializeToString(deterministic=True).hex()


def _awards(sums: Mapping[Key, Mapping[str, int]]) -> Iterator[pb.AwardLine]:
    for key, fen in sums.items():
        held, recovered = fen.get("held", 0), fen.get("recovered", 0)
        remaining, paid = fen.get("remaining", 0), held + recovered
        if not remaining + paid:
            continue  # what another unit took over, or was released as a whole
        yield pb.AwardLine(
            application=key.application,
            title=key.title,
            programme=key.programme,
            department=key.department,
            applicant=key.applicant,
            applicant_name=key.applicant_name,
            year=key.year,
            funding_source=key.source,
            outside="outside" in fen,
            amounts=pb.Amounts(
                awarded_fen=remaining + paid,
                paid_fen=paid,
                remaining_fen=remaining,
                recovered_fen=recovered,
            ),
        )


def _ceilings(sums: Mapping[Key, Mapping[str, int]]) -> Iterator[pb.CeilingLine]:
    for key, fen in sums.items():
        ceiling = -fen.get("appropriated", 0) - fen.get("carried", 0)
        available = fen.get("available", 0)
        yield pb.CeilingLine(
            programme=key.programme,
            title=key.programme_title,
            department=key.department,
            year=key.year,
            funding_source=key.source,
            ceiling_fen=ceiling,
            carried_fen=-fen.get("carried", 0),
            awarded_fen=ceiling - available,
            available_fen=available,
        )


def _place(line: pb.AwardLine) -> list[Any]:
    """Return what orders the lines, the same on every page."""
    return [line.application, line.programme, line.year, line.funding_source, line.applicant]


@dataclass(slots=True)
class _Group:
    title: str
    awards: int = 0
    amounts: pb.Amounts = field(default_factory=pb.Amounts)

    def add(self, line: pb.AwardLine) -> None:
        self.awards += 1
        for amount in pb.Amounts.DESCRIPTOR.fields:
            whole = getattr(self.amounts, amount.name) + getattr(line.amounts, amount.name)
            setattr(self.amounts, amount.name, whole)


def _sum_up(statement: pb.Statement, lines: Iterable[pb.AwardLine]) -> None:
    """Fill in groups and total: each is the sum of its lines."""
    by: dict[str, dict[str, _Group]] = {"programmes": {}, "departments": {}, "applicants": {}}
    total = _Group("")
    for line in lines:
        total.add(line)
        for groups, key, title in (
            ("programmes", line.programme, ""),
            ("departments", line.department, ""),
            ("applicants", line.applicant, line.applicant_name),
        ):
            by[groups].setdefault(key, _Group(title)).add(line)
    statement.total.CopyFrom(total.amounts)
    for groups, found in by.items():
        getattr(statement, groups).extend(
            pb.GroupLine(key=key, title=group.title, awards=group.awards, amounts=group.amounts)
            for key, group in sorted(found.items())
        )
