"""One command under decision: what its rules see, and the journal rows that come of it."""

import datetime
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from kernel import personal
from kernel.access import Access, Kind, reading
from kernel.book import Book, Entry, entries
from kernel.case import Caller, Reference, Role
from kernel.columns import Common, common_of, iso, microseconds, values_of
from kernel.dates import from_date, to_date
from kernel.edit import apply_mask, cleared
from kernel.errors import (
    AlreadyExists,
    DomainError,
    Hidden,
    Invalid,
    NotFound,
    Refused,
    Stale,
    UnknownReference,
)
from kernel.lifecycle import Move
from kernel.outcome import Command, Held, JournalRow, Settled
from kernel.registry import Resource
from kernel.rights import (
    Standing,
    allowed,
    demand,
    demand_role,
    may_see,
    may_see_persons,
    standing_of,
)
from kernel.units import demand_known
from luoshu.journal.v1.journal_pb2 import Change

if TYPE_CHECKING:
    from kernel.decide import Batch

EVENT_LIMIT = 60 * 1024
"""Bytes of an event; C2SP tiles hold 65 535 an entry."""
EARLIEST, EARLIEST_OF_HISTORY = datetime.date(1900, 1, 1), datetime.date(1800, 1, 1)
"""A date before is a slip of the hand, such as 1026 for 2026. Registers of organisations go back to the 19th century."""


class Decision:
    """One command under decision; to the domain's rules it is the `Case`."""

    def __init__(self, batch: "Batch", command: Command) -> None:
        self._batch, self._command = batch, command
        self._resource = batch.service.resource_of(command.name)
        self._others: dict[str, Any] = {}
        self._numbers: dict[str, int] = {}
        self._entries: list[tuple[JournalRow, Held, tuple[Any, ...], Resource]] = []
        self._sealed: list[personal.Sealed] = []
        self._mentions: list[tuple[str, str]] = []
        self._access: list[Access] = []
        self._posted: list[Entry] = []
        self.caller, self.pack, self.today = command.caller, batch.pack, batch.today
        self.importing = command.action == "imported"
        self.effective = command.effective or batch.today

    # What the domain's rules call.

    def get(self, name: str) -> Any:
        return self._visible(name).message

    def known(self, name: str) -> Any | None:
        held = self._batch.held(name)
        return held.message if held is not None and self._sees(name, held) else None

    def change(self, name: str) -> Any:
        if name == self._command.name:
            raise Invalid(f"{name} cannot be tied to itself", f"{name} 不能与自身关联")
        if name not in self._others:
            self._others[name] = _copy(self._visible(name).message)
        return self._others[name]

    def find(self, collection: str, where: Mapping[str, str | int]) -> list[Any]:
        found = self._batch.find(collection, where)
        return [held.message for held in found if held.message.name != self._command.name]

    def subject(self, person: Any) -> str:
        return personal.present_subject(person, self._batch.vault)

    def number(self, series: str) -> int:
        if series not in self._numbers:
            drawn = self._batch.numbers.get(series)
            self._numbers[series] = (
                self._batch.loader.last_number(series) if drawn is None else drawn
            )
        self._numbers[series] += 1
        return self._numbers[series]

    def reference(self, name: str) -> Reference:
        asked = next((r for r in self._command.asked if r.name == name), None)
        known = asked or self._batch.loader.reference(name)
        if known is None:
            raise UnknownReference(name)
        return known

    def _visible(self, name: str) -> Held:
        """Of another record its rule learns what its caller may: an answer that differs would tell that it exists."""
        held = self._existing(name)
        if self._sees(name, held):
            return held
        raise _missing(name, Hidden)

    def _sees(self, name: str, held: Held) -> bool:
        standing = standing_of(held.message, self._batch.service.resource_of(name).lifecycle)
        own = name == self._command.name
        return own or may_see(self.caller, standing.readers, standing.public)

    def _existing(self, name: str) -> Held:
        held = self._batch.held(name)
        if held is None:
            raise _missing(name)
        return held

    # What the kernel does with it.

    def settle(self) -> Settled:
        """Decide. Raises DomainError."""
        _demand_day(self.effective, self.today, history=self.importing)
        match self._command.action:
            case "create":
                return self._created()
            case "imported":
                return self._imported()
            case "update":
                return self._updated()
            case _:
                return self._moved()

    def accept(self) -> None:
        """Let the batch take over what was decided."""
        batch = self._batch
        for row, held, columns, resource in self._entries:
            name = row.record
            batch.journal.append(row)
            batch.records[name] = held
            due = resource.lifecycle.deadlines
            days = due(held.message) if due is not None else ()
            if days or (due is not None and held.revisions > 1):  # what is new has none to forget
                batch.deadlines[name] = days
            batch.rows.setdefault(row.collection, {})[name] = columns
        batch.position += len(self._entries)
        batch.ledger += self._posted
        batch.access += self._access
        if self._numbers:
            batch.numbers.update(self._numbers)
            batch.drawn.update(self._numbers)
        if self._sealed or self._mentions:
            batch.sealed.update((sealed.commitment, sealed) for sealed in self._sealed)
            batch.mentions.update(dict.fromkeys(self._mentions))

    def _created(self) -> Settled:
        demand_role(self.caller, self._resource.lifecycle.create_by, "create")
        if Role.SYSTEM not in self.caller.roles:
            demand_known(self.caller.department, self.pack)
        if not self._command.fresh and self._batch.held(self._command.name) is not None:
            raise AlreadyExists(
                f"{self._command.name} exists; choose another id, or leave it empty",
                f"{self._command.name} 已存在；请更换编号或留空由系统编号",
            )
        new = self._new(self._command.given)
        new.state = self._resource.lifecycle.initial
        new.ClearField("origin")
        self._check(new)
        return self._settled(new, None, "create")

    def _imported(self) -> Settled:
        demand_role(self.caller, (Role.IMPORTER,), "imported")
        old = self._batch.held(self._command.name)
        if old is not None and old.action != "imported":
            raise Refused(
                f"{self._command.name} has moved on in the register; a historical row cannot overwrite it",
                f"{self._command.name} 已在本系统办理过业务，历史数据不能覆盖",
                reason="MOVED_ON",
            )
        new = self._new(self._command.given)
        new.state = self._command.given.state or self._resource.lifecycle.initial
        if not new.lead_department:
            new.lead_department = self._command.given.lead_department
        if old is not None:
            new.create_time.CopyFrom(old.message.create_time)
        self._resource.lifecycle.check(new, self)
        return self._settled(new, old, "imported")

    def _new(self, given: Any) -> Any:
        own = Role.SYSTEM in self.caller.roles  # what the services themselves say is taken as it is
        new = _copy(given) if own else cleared(given, historical=self.importing)
        new.name, new.author = self._command.name, self.caller.actor
        new.owner_unit = self.caller.department
        new.create_time.CopyFrom(self._batch.now)
        return new

    def _updated(self) -> Settled:
        old, move = self._to_move("update")
        new = _copy(old.message)
        apply_mask(new, self._command.given, self._command.request.update_mask.paths)
        self._check(new)
        return self._settled(new, old, move.name)

    def _check(self, new: Any) -> None:
        """Check what a request says. Its rules name fields of the record; the caller is told where they stand in the request."""
        try:
            self._resource.lifecycle.check(new, self)
        except DomainError as wrong:
            raise wrong.of_record(self._resource.singular) from None

    def _moved(self) -> Settled:
        old, move = self._to_move(self._command.action)
        new = _copy(old.message)
        chosen = move.action(new, self._command.request, self)
        new.state = self._resource.lifecycle.target(move, chosen)
        aside = move.overrides(new, self._command.request) if move.overrides else {}
        if aside:
            self._access.append(_override(self._command, aside))
        return self._settled(new, old, move.name)

    def _to_move(self, action: str) -> tuple[Held, Move]:
        """Return the record and the table's line. Raises NotFound, Stale, Refused, Denied, Invalid."""
        lifecycle, command = self._resource.lifecycle, self._command
        old = self._existing(command.name)
        standing = standing_of(old.message, lifecycle)
        open_to_any = any(
            m.of == "any" and not self.caller.roles.isdisjoint(m.by)
            for m in lifecycle.of_state(standing.state)
        )
        if not (open_to_any or may_see(self.caller, standing.readers, standing.public)):
            raise _missing(command.name, Hidden)
        if command.etag and command.etag != old.message.etag:
            raise Stale(
                f"{command.name} is at etag {old.message.etag}, not {command.etag}; read it again and repeat",
                f"{command.name} 的版本标识已是 {old.message.etag}，不是 {command.etag}；请重新读取后再试",
                field="etag",
            )
        theirs = partial(allowed, self.caller, lifecycle, standing)
        move = lifecycle.line(standing.state, action, theirs)
        demand(self.caller, move, standing)
        self._not_before(old.message)
        return old, move

    def _not_before(self, old: Any) -> None:
        """A change is not true before the one that it follows; today's date is moved up to it, a given one is refused."""
        earliest = to_date(old.effective_date)
        if earliest is None or self.effective >= earliest:
            return
        raise Invalid(
            f"effective_date {self.effective} is before the record's own {earliest}; the earliest is {earliest}",
            f"生效日期 {self.effective} 早于记录现行版本的 {earliest}；最早为 {earliest}",
            field="effective_date",
        )

    def _settled(self, new: Any, old: Held | None, action: str) -> Settled:
        standing, body = self._entry(new, old, action, self._resource, self.effective, "")
        for name, message in self._others.items():
            resource, other = self._batch.service.resource_of(name), self._existing(name)
            effective = max(self.effective, to_date(other.message.effective_date) or self.effective)
            part = f"~{len(self._entries)}"
            self._entry(message, other, action, resource, effective, part)
        self._access += shown(self._command, new, standing)
        return Settled(new.name, body, new.revision, standing, self._command.fingerprint)

    def _entry(
        self,
        new: Any,
        old: Held | None,
        action: str,
        resource: Resource,
        effective: datetime.date,
        part: str,
    ) -> tuple[Standing, bytes]:
        """Stamp a record and make its journal row, and the row that lists find it by. Return its standing and its bytes."""
        batch, command = self._batch, self._command
        position = batch.position + len(self._entries) + 1
        revision, day = 1 if old is None else old.revisions + 1, _iso(effective)
        self._stamp(new, revision, effective)
        if personal.names_somebody(new):
            self._commit_persons(new, old)
        standing, body = standing_of(new, resource.lifecycle), new.SerializeToString()
        change = self._change(old, standing.state, action, resource, effective, part)
        change.position, change.record, change.revision = position, new.name, revision
        change.request_id = command.request_id
        event = _within_limit(batch.service.event_of(resource, change, body))
        row = JournalRow(
            position, change.record, resource.collection, revision, command.request_id + part,
            command.fingerprint, batch.moment, day, standing.readers, int(standing.public), event,
        )  # fmt: skip
        historical = part and action == "imported" and old is not None
        made_by = old.action if historical and old else action
        if old is None or _later(new, old.message):
            held = Held(new, revision, position, made_by)
            created = batch.moment if old is None else microseconds(new.create_time)
            common = Common(
                standing.state, created, batch.moment, day, standing.lead, standing.owner, standing.author
            )  # fmt: skip
            columns = _columns(resource, held, standing, body, common)
        else:
            held = Held(old.message, revision, position, made_by)
            then = standing_of(old.message, resource.lifecycle)
            body_then = old.message.SerializeToString()
            columns = _columns(resource, held, then, body_then, common_of(old.message))
        if batch.service.book is not None:
            self._post(batch.service.book, position, day, old, held.message)
        self._entries.append((row, held, columns, resource))
        return standing, body

    def _commit_persons(self, new: Any, old: Held | None) -> None:
        """Put commitments where personal values are, and keep who is named that was not named before."""
        before = None if old is None else old.message
        self._sealed += personal.commit(new, before, self._batch.vault, self._batch.key_of)
        named = [] if before is None else personal.subjects(before)
        self._mentions += [(s, new.name) for s in personal.subjects(new) if s not in named]

    def _post(self, book: Book, position: int, day: str, old: Held | None, new: Any) -> None:
        """Book what the record as it stands holds more or less than before."""
        posted = book.postings(None if old is None else old.message, new)
        self._posted += entries(position, day, posted)

    def _stamp(self, new: Any, revision: int, effective: datetime.date) -> None:
        new.revision, new.etag = revision, f"r{revision}"
        new.update_time.CopyFrom(self._batch.now)
        new.effective_date.CopyFrom(_wire(effective))
        new.ClearField("allowed_actions")

    def _change(
        self,
        old: Held | None,
        state: int,
        action: str,
        resource: Resource,
        effective: datetime.date,
        part: str,
    ) -> Change:
        """Return the event's head, to be given its position, record, revision and request id: in a batch the rest is often
        the same, and made once.
        """
        before = None if old is None else old.message.state
        cause = self._batch.position + 1 if part else 0
        command = self._command
        said = (resource, before, state, action, command.caller, effective, cause, command.reason)
        change = self._batch.changes.get(said)
        if change is None:
            change = self._batch.changes[said] = self._said(*said)
        return change

    def _said(
        self,
        resource: Resource,
        before: int | None,
        state: int,
        action: str,
        caller: Caller,
        effective: datetime.date,
        cause: int,
        reason: str,
    ) -> Change:
        name = resource.lifecycle.state_name
        return Change(
            action=action,
            from_state="" if before is None else name(before),
            to_state=name(state),
            actor=caller.actor,
            department=caller.department,
            roles=_in_order(caller.roles),
            commit_time=self._batch.now,
            effective_date=_wire(effective),
            business_date=_wire(self.today),
            cause_position=cause,
            traceparent=caller.traceparent,
            reason=reason,
        )


_wire = lru_cache(maxsize=64)(from_date)
"""The same few days come again and again; what is returned is copied, never handed out."""
_iso = lru_cache(maxsize=64)(datetime.date.isoformat)


@lru_cache(maxsize=256)
def _in_order(roles: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(roles))


def _within_limit(event: bytes) -> bytes:
    """Raises Invalid."""
    if len(event) > EVENT_LIMIT:
        raise Invalid(
            f"the change would be {len(event)} bytes; the limit is {EVENT_LIMIT}: shorten the texts or split the record",
            f"该变更共 {len(event)} 字节，上限为 {EVENT_LIMIT} 字节；请缩短文本或拆分",
            reason="EVENT_TOO_LARGE",
        )
    return event


def _columns(
    resource: Resource, held: Held, standing: Standing, body: bytes, common: Common
) -> tuple[Any, ...]:
    """`body`, `common`: of the record that is held."""
    name, revision, *own = values_of(resource, held.message)
    columns = (
        name, held.revisions, revision, held.position, held.action, standing.readers,
        int(standing.public), body, *common, *own,
    )  # fmt: skip
    if b"\0" in body and any("\0" in value for value in columns if isinstance(value, str)):
        raise Invalid(
            "a text holds the character NUL, which cannot be stored", "文本含有 NUL 字符，无法保存"
        )
    return columns


def _later(new: Any, old: Any) -> bool:
    """The record as it stands is its revision with the greatest (effective date, revision)."""
    return iso(new.effective_date) >= iso(old.effective_date)


def _copy(message: Any) -> Any:
    new = type(message)()
    new.CopyFrom(message)
    return new


def shown(command: Command, record: Any, standing: Standing) -> list[Access]:
    """Return the read of persons that the answer to a change is; whoever creates a record gave them itself."""
    if command.action in ("create", "imported") or not may_see_persons(command.caller, standing):
        return []
    records = [record] if personal.commitments(record) else []
    return reading(command.caller, command.action, records, command.fingerprint)


def _override(command: Command, aside: Mapping[str, str]) -> Access:
    return Access(
        Kind.OVERRIDDEN,
        command.caller,
        command.action,
        command.name,
        request_id=command.request_id,
        request_hash=command.fingerprint,
        reason=command.reason,
        details=aside,
    )


def _demand_day(day: datetime.date, today: datetime.date, *, history: bool) -> None:
    """Raise Invalid for an effective date to come, and for one that nobody can mean."""
    earliest = EARLIEST_OF_HISTORY if history else EARLIEST
    if day > today:
        raise Invalid(
            f"effective_date {day} is in the future; the latest is {today}",
            f"生效日期 {day} 晚于今天；最晚为 {today}",
            field="effective_date",
            reason="DATE_IN_FUTURE",
        )
    if day < earliest:
        raise Invalid(
            f"effective_date {day} is too long ago; the earliest is {earliest}, did you mean another year?",
            f"生效日期 {day} 过早；最早为 {earliest}，请核对年份",
            field="effective_date",
            reason="DATE_TOO_EARLY",
        )


def _missing(name: str, kind: type[NotFound] = NotFound) -> NotFound:
    return kind(
        f"no {name}, or none that you may see; list what there is",
        f"没有 {name}，或无权查看；请先查询列表",
    )
