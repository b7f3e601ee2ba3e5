"""What is demanded when a run has come to rest: I1 to I7, I9 and I10 of the reliability goals, and I8 for the money."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from app.catalogue import FOLLOWING, registry
from app.migrate import metadata_of
from kernel import database
from kernel.consumer import Reaction
from kernel.dates import to_date
from kernel.errors import DomainError
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import IMPORT_OUTCOME_REFUSED, EventHead, JournalEntry
from services.audit.check import verify_stored
from services.reports.consumer import ReportsSink
from services.reports.store import EDITION, FACT
from tests import invariants
from tests.invariants import Line
from tests.sim.disk import disk
from tests.sim.process import SIGNER
from tests.sim.script import Call
from tests.sim.world import World, pack


def demand(world: World) -> None:
    """Raises AssertionError, naming the invariant or the line that broke it."""
    journals = dict(_journals(world))
    for name, lines in journals.items():
        _effects(world, name, lines)
        _days_told(world, name, lines)
    if "funding" in journals:
        _money(journals["funding"])
    for name in journals:
        _known(name, journals)
    if world.scenario.bus:
        _topics(world, journals)
    if "audit" in world.processes:
        _audited(world, journals)
    if "reports" in world.processes:
        _reported(world, journals)
    world.scenario.demand(world)


def _journals(world: World) -> Iterator[tuple[str, list[Line]]]:
    """I3 of every registry that runs."""
    for name in world.processes:
        service = registry(name)
        if service is not None:
            with _reading(name).connect() as tx:
                found = invariants.looked(tx, service)
            yield name, invariants.demand_all(found, service).lines


def _reading(name: str) -> sa.Engine:
    return disk().engine(name, "reading", "the judge")


# I1, I2: the client's own record against the journal.


def _effects(world: World, name: str, lines: Sequence[Line]) -> None:
    acknowledged, refused, entered = dict[str, str](), set[str](), dict[str, str]()
    for call in world.scenario.calls:
        outcome = world.outcomes[call.id]
        request_id = getattr(call.request, "request_id", "")
        if call.service != name:
            continue
        if isinstance(outcome, DomainError):
            refused |= {request_id} if call.id == request_id else set()
        elif call.rpc.startswith("Import"):
            entered |= _entered(call, outcome)
        else:
            acknowledged |= _answered(request_id, outcome)
            _same_answers(world, call)
    invariants.demand_effects(lines, acknowledged)
    invariants.demand_no_effects(lines, refused)
    _demand_rows(world, lines, entered)


def _answered(request_id: str, answer: Any) -> dict[str, str]:
    if hasattr(answer, "name"):
        return {request_id: answer.name}
    records = next(value for _, value in answer.ListFields())
    ids = (f"{request_id}~r{n}" if n else request_id for n in range(len(records)))
    return {i: record.name for i, record in zip(ids, records, strict=True)}


def _entered(call: Call, answers: Sequence[Any]) -> dict[str, str]:
    results = [result for answer in answers for result in answer.results]
    assert all(result.outcome != IMPORT_OUTCOME_REFUSED for result in results), results
    return {row.key: result.name for row, result in zip(call.request.rows, results, strict=True)}


def _demand_rows(world: World, lines: Sequence[Line], entered: dict[str, str]) -> None:
    """Every row that was acknowledged is there, none twice; one record may have several rows' keys."""
    imported = Counter(line.request_id for line in lines if line.request_id.startswith("import~"))
    assert all(times == 1 for times in imported.values()), f"I1: entered twice: {imported}"
    there = {line.record for line in lines}
    lost = {key for key, name in entered.items() if name not in there}
    assert not lost, f"I1: acknowledged and lost: {lost}"


def _same_answers(world: World, call: Call) -> None:
    """A repeat gets the first answer: the same revision of the same record, with the rights of its caller."""
    said = {answer.SerializeToString(deterministic=True) for answer in world.answers[call.id]}
    assert len(said) == 1, f"I1: {call.id} was answered in {len(said)} ways"


def _days_told(world: World, name: str, lines: Sequence[Line]) -> None:
    """I9: a day is told once, the days only go forward, and at rest today was told."""
    ticks = [line.effective_date for line in lines if line.record == "clock"]
    assert len(set(ticks)) == len(ticks), f"I9: {name} told a day twice: {ticks}"
    days = [to_date(_change(line).business_date) for line in lines]
    assert days == sorted(days), f"I9: {name}'s days go back: {days}"  # type: ignore[type-var]
    assert days[-1] == world.today, f"I9: {name} told {days[-1]} last"


def _change(line: Line) -> Any:
    return EventHead.FromString(line.event).change


# I7, I8.


def _money(lines: Sequence[Line]) -> None:
    """At every moment, transaction by transaction: nothing over a ceiling, and the programme's sums are its awards'."""
    events = [funding.FundingEvent.FromString(line.event) for line in lines]
    records: dict[str, Any] = {}
    for n, event in enumerate(events):
        kind = event.WhichOneof("record")
        if kind is None:
            continue
        record = getattr(event, kind)
        _four_eyes(event, records.get(record.name))
        records[record.name] = record
        ahead = events[n + 1].change if n + 1 < len(events) else None
        if ahead is None or not ahead.cause_position:  # else the transaction goes on
            _balanced(records.values(), event.change.position)


def _four_eyes(event: Any, before: Any) -> None:
    change = event.change
    if change.action in ("approve", "activate", "set_ceiling") and before is not None:
        assert change.actor != before.author, f"I8: {change.actor} approved its own {before.name}"
        assert "approver" in change.roles, f"I8: {change.actor} is no approver"


def _balanced(records: Any, position: int) -> None:
    awarded: dict[tuple[str, int], int] = defaultdict(int)
    for record in records:
        if isinstance(record, funding.Application):
            awarded[record.programme, record.year] += record.committed_fen
    for record in records:
        if isinstance(record, funding.Programme):
            ceilings = {c.year: c.ceiling_fen for c in record.ceilings}
            for entry in record.commitments:
                said = f"I7: after {position}, {record.name} {entry.year}:"
                sums = awarded[record.name, entry.year]
                assert entry.committed_fen <= ceilings[entry.year], f"{said} over the ceiling"
                assert entry.committed_fen == sums, f"{said} {entry.committed_fen} is not {sums}"


# I3, I6: what consumers keep.


def _known(name: str, journals: dict[str, list[Line]]) -> None:
    """I6: what a registry remembers of others' records is what their journals told last."""
    expected: dict[str, tuple[str, str, str, int]] = {}
    for source, react in FOLLOWING.get(name, {}).items():
        for line in journals.get(source, ()):
            entry = JournalEntry(source=source, position=line.position, event=line.event)
            reaction: Reaction = react(entry)
            expected |= {row[0]: row for row in reaction.known}
    with _reading(name).connect() as tx:
        found = tx.execute(sa.text("SELECT name, state, title, position FROM known_record")).all()
    assert {row[0]: tuple(row) for row in found} == expected, f"I6: {name} remembers {found}"


def _topics(world: World, journals: dict[str, list[Line]]) -> None:
    """I3: a topic has every event, each first told in its turn unless the topic lost some; repeats are allowed."""
    for name, lines in journals.items():
        told = dict[int, bytes]()
        for message in world.bus.topic(name):
            position = int(dict(message.headers)["ce_sequence"])
            in_turn = position <= len(told) + 1 or name in world.bus.shortened
            assert in_turn, f"I3: {name}'s topic goes on with {position}"
            assert told.setdefault(position, message.value) == message.value, (
                f"I3: {name} {position}"
            )
        expected = {line.position: line.event for line in lines}
        assert told == expected, f"I3: {name}'s topic has {len(told)} of {len(expected)} events"


# I5.


def newest_checkpoint() -> tuple[int, str] | None:
    """Return the newest checkpoint's size and text."""
    with _reading("audit").connect() as tx:
        query = sa.text("SELECT size, text FROM checkpoint ORDER BY size DESC LIMIT 1")
        row = tx.execute(query).first()
    return None if row is None else (row[0], row[1])


def _audited(world: World, journals: dict[str, list[Line]]) -> None:
    with _reading("audit").connect() as tx:
        kept = tuple(world.checkpoints.values())
        report = verify_stored(tx, SIGNER.verifier.encoded(), kept=kept)
        query = sa.text('SELECT source, position, event, "index" FROM entry ORDER BY "index"')
        rows = tx.execute(query).all()
    assert not report.findings, f"I5: {[finding.en for finding in report.findings]}"
    assert [row[3] for row in rows] == list(range(len(rows))), "I5: the log's index has holes"
    for name, lines in journals.items():
        found = [(row[1], row[2]) for row in rows if row[0] == name]
        expected = [(line.position, line.event) for line in lines]
        assert found == expected, f"I5: {name}: {len(found)} audited of {len(expected)}"


# I6, I9, I10.


def editions() -> list[tuple[Any, ...]]:
    with _reading("reports").connect() as tx:
        return [tuple(row) for row in tx.execute(sa.select(EDITION).order_by(*EDITION.primary_key))]


def _facts(tx: sa.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in tx.execute(sa.select(FACT).order_by(*FACT.primary_key))]


def _reported(world: World, journals: dict[str, list[Line]]) -> None:
    """The same events, read at once and source by source from the last to the first, make the same bytes."""
    with _reading("reports").connect() as tx:
        facts = _facts(tx)
    with closing(_Rebuilt(tuple(journals))) as other:
        for name in reversed(journals):
            other.take(name, journals[name])
        again = other.tables()
    assert facts == again[0], "I6: the facts are not the fold of the events"
    assert editions() == again[1], "I10: the same events made other editions"


class _Rebuilt:
    """Reports in memory, made from the journals alone."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._engine = database.writing("sqlite://")
        with self._engine.begin() as tx:
            metadata_of("reports").create_all(tx)
        self._sink = ReportsSink(self._engine, pack(), sources)

    def take(self, source: str, lines: Sequence[Line]) -> None:
        said = [JournalEntry(source=source, position=x.position, event=x.event) for x in lines]
        self._sink.apply(source, said)

    def tables(self) -> tuple[list[Any], list[Any]]:
        with self._engine.connect() as tx:
            made = tx.execute(sa.select(EDITION).order_by(*EDITION.primary_key))
            return _facts(tx), [tuple(row) for row in made]

    def close(self) -> None:
        self._engine.dispose()
