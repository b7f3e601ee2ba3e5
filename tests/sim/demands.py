"""What is demanded when a run has come to rest: I1 to I7, I9 and I10 of the reliability goals, and I8 for the money."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from app.catalogue import FOLLOWING, registry
from kernel.access import access_source
from kernel.consumer import Reaction
from kernel.dates import to_date
from kernel.errors import DomainError
from luoshu.journal.v1.journal_pb2 import (
    IMPORT_OUTCOME_REFUSED,
    EventHead,
    JournalEntry,
)
from tests import invariants
from tests.invariants import Line
from tests.sim import kept, money
from tests.sim.kept import reading
from tests.sim.script import Call
from tests.sim.world import World


def demand(world: World) -> None:
    """Raises AssertionError, naming the invariant or the line that broke it."""
    journals = dict(_journals(world))
    for name, lines in journals.items():
        _effects(world, name, lines)
        _days_told(world, name, lines)
    if "funding" in journals:
        money.demand(journals["funding"])
        money.demand_agreed(journals["funding"], journals.get("coordination", ()))
    for name in journals:
        _known(name, journals)
    if world.scenario.bus:
        _topics(world, journals)
    if "audit" in world.processes:
        kept.demand_audited(world.checkpoints.values(), {**journals, **dict(_accesses(world))})
    if "reports" in world.processes:
        kept.demand_reported(journals)
    world.scenario.demand(world)


def _journals(world: World) -> Iterator[tuple[str, list[Line]]]:
    """I3 of every registry that runs."""
    for name in world.processes:
        service = registry(name)
        if service is not None:
            with reading(name).connect() as tx:
                found = invariants.looked(tx, service)
            yield name, invariants.demand_all(found, service).lines


def _accesses(world: World) -> Iterator[tuple[str, list[Any]]]:
    """I3 of every access journal that runs."""
    for name in world.processes:
        if registry(name) is not None:
            with reading(name).connect() as tx:
                yield access_source(name), invariants.accessed(tx)


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


# I3, I6: what consumers keep.


def _known(name: str, journals: dict[str, list[Line]]) -> None:
    """I6: what a registry remembers of others' records is what their journals told last."""
    expected: dict[str, tuple[str, str, str, int]] = {}
    for source, react in FOLLOWING.get(name, {}).items():
        for line in journals.get(source, ()):
            entry = JournalEntry(source=source, position=line.position, event=line.event)
            reaction: Reaction = react(entry)
            expected |= {row[0]: row for row in reaction.known}
    with reading(name).connect() as tx:
        found = tx.execute(sa.text("SELECT name, state, title, position FROM known_record")).all()
    assert {row[0]: tuple(row) for row in found} == expected, f"I6: {name} remembers {found}"


def _topics(world: World, journals: dict[str, list[Line]]) -> None:
    """I3: a topic has every event, each first told in its turn; repeats are allowed.

    One that lost its end has no wrong event, and its consumers are complete: they ask the owner for what it lacks.
    """
    for name, lines in journals.items():
        shortened = name in world.bus.shortened
        expected = {line.position: line.event for line in lines}
        told = dict[int, bytes]()
        for message in world.bus.topic(name):
            position = int(dict(message.headers)["ce_sequence"])
            in_turn = position <= len(told) + 1 or shortened
            assert in_turn, f"I3: {name}'s topic goes on with {position}"
            assert message.value == expected[position], f"I3: {name}'s topic alters {position}"
            told[position] = message.value
        complete = told == expected or shortened
        assert complete, f"I3: {name}'s topic has {len(told)} of {len(expected)} events"
