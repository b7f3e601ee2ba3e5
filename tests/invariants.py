"""What must hold of a service's database whatever happened before: I1 to I3 of the reliability goals.

Independent of the kernel's own statements: plain SQL over one read transaction, so it may run beside a service at work.
Every function raises AssertionError, saying which line broke the rule.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel import database
from kernel.registry import Service
from luoshu.journal.v1.journal_pb2 import AccessEvent


class Line(NamedTuple):
    """One line of a journal."""

    position: int
    record: str
    collection: str
    revision: int
    request_id: str
    effective_date: str
    event: bytes


class Row(NamedTuple):
    """One record as it stands. `revisions`: how many it has; `revision`: the one that it shows."""

    name: str
    revisions: int
    revision: int
    position: int
    record: bytes


class Database(NamedTuple):
    """What one transaction saw of a service's database."""

    head: int
    lines: list[Line]
    rows: list[Row]


def seen(url: str, service: Service) -> Database:
    """Read everything that the invariants speak of, at one moment."""
    engine = database.reading(url)
    try:
        with engine.connect() as tx:
            return looked(tx, service)
    finally:
        engine.dispose()


def looked(tx: sa.Connection, service: Service) -> Database:
    """Read the same over a connection that is there."""
    head = tx.execute(sa.text("SELECT position FROM journal_head")).scalar_one()
    lines = [Line(*row) for row in tx.execute(_select("journal", Line, "position"))]
    tables = [resource.singular for resource in service.resources]
    rows = [Row(*r) for table in tables for r in tx.execute(_select(table, Row, "name"))]
    return Database(int(head), lines, rows)


def _select(table: str, fields: Any, order: str) -> sa.TextClause:
    return sa.text(f'SELECT {", ".join(fields._fields)} FROM "{table}" ORDER BY {order}')


def demand_sound(url: str, service: Service) -> Database:
    """I3: positions and revisions dense, events say what their line says, records follow from the journal."""
    return demand_all(seen(url, service), service)


def demand_all(found: Database, service: Service) -> Database:
    """The same of what was read already."""
    demand_dense_positions(found)
    demand_dense_revisions(found.lines)
    demand_told(found.lines, service)
    demand_followed(found, service)
    return found


def demand_dense_positions(found: Database) -> None:
    """I3: a journal's positions are 1..n, and its head is n."""
    positions = [line.position for line in found.lines]
    wrong = next((n for n, position in enumerate(positions, 1) if n != position), None)
    assert wrong is None, f"position {wrong} is missing or there twice"
    assert found.head == len(positions), f"the head is {found.head} after {len(positions)} lines"


def demand_dense_revisions(lines: Iterable[Line]) -> None:
    """I3: a record's revisions are 1..k, in the journal's order."""
    latest: Counter[str] = Counter()
    for line in lines:
        latest[line.record] += 1
        expected = latest[line.record]
        assert line.revision == expected, f"{line.record}: {line.revision} where {expected} is due"


def demand_told(lines: Iterable[Line], service: Service) -> None:
    """The event of a line has the line's position, record and revision."""
    for line in lines:
        change = service.event.FromString(line.event).change
        said = (change.position, change.record, change.revision)
        assert said == (line.position, line.record, line.revision), f"{line.position} says {said}"


def demand_followed(found: Database, service: Service) -> None:
    """A record's row is its newest revision: that with the greatest (effective date, revision)."""
    of_record: dict[str, list[Line]] = defaultdict(list)
    for line in found.lines:
        if line.collection in service.by_collection:
            of_record[line.record].append(line)
    rows = {row.name: row for row in found.rows}
    assert rows.keys() == of_record.keys(), f"not both: {_some(rows.keys() ^ of_record.keys())}"
    for name, row in rows.items():
        _demand_newest(row, of_record[name], service)


def _demand_newest(row: Row, lines: Sequence[Line], service: Service) -> None:
    newest = max(lines, key=lambda line: (line.effective_date, line.revision))
    singular = service.by_collection[newest.collection].singular
    told = getattr(service.event.FromString(newest.event), singular)
    assert row.revisions == len(lines), f"{row.name}: {row.revisions} of {len(lines)} revisions"
    assert row.position == lines[-1].position, f"{row.name}: not the last line's position"
    assert row.record == told.SerializeToString(), f"{row.name} is not what its journal told last"


def demand_effects(lines: Iterable[Line], acknowledged: Mapping[str, str]) -> None:
    """I1: what was answered OK took effect exactly once. `acknowledged`: request id → record."""
    of_request: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        of_request[line.request_id].append(line.record)
    for request_id, name in acknowledged.items():
        found = of_request.get(request_id, [])
        assert found == [name], f"{request_id} was acknowledged as {name}, the journal has {found}"


def demand_no_effects(lines: Iterable[Line], refused: Iterable[str]) -> None:
    """I2: what was answered "not done" left nothing. `refused`: request ids."""
    done = {line.request_id for line in lines}.intersection(refused)
    assert not done, f"refused, and yet in the journal: {_some(done)}"


def demand_rows(lines: Iterable[Line], service: Service, entered: Mapping[str, str]) -> None:
    """I1 for an import: every acknowledged row is there, none twice. `entered`: the row's key → record."""
    of_key: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.collection in service.by_collection:
            singular = service.by_collection[line.collection].singular
            record = getattr(service.event.FromString(line.event), singular)
            of_key[record.origin.key].append(line.record)
    of_key.pop("", None)
    twice = {key: names for key, names in of_key.items() if len(names) > 1}
    assert not twice, f"entered twice: {_some(twice)}"
    lost = {key for key, name in entered.items() if of_key.get(key) != [name]}
    assert not lost, f"acknowledged and lost: {_some(lost)}"


def demand_audited(lines: Sequence[Line] | Sequence["Accessed"], audit: str, source: str) -> None:
    """I3, I5: the audit's log has a journal's exact bytes in its order, and its own index is dense."""
    engine = database.reading(audit)
    with engine.connect() as tx:
        rows = tx.execute(
            sa.text('SELECT source, position, event FROM entry ORDER BY "index"')
        ).all()
        last = tx.execute(sa.text('SELECT max("index") FROM entry')).scalar_one()
    engine.dispose()
    assert last == len(rows) - 1, f"the log's last index is {last}, it has {len(rows)} entries"
    kept = [(row.position, row.event) for row in rows if row.source == source]
    told = [(line.position, line.event) for line in lines]
    assert kept == told, f"{source}: {len(kept)} entries audited of {len(told)}"


def demand_reported(lines: Iterable[Line], reports: str, source: str) -> None:
    """I3: reports have a fact for every change of a journal, and no other."""
    engine = database.reading(reports)
    with engine.connect() as tx:
        facts = sa.text(
            "SELECT position, record, revision FROM fact WHERE source = :source ORDER BY position"
        )
        kept = [tuple(row) for row in tx.execute(facts, {"source": source})]
    engine.dispose()
    told = [(line.position, line.record, line.revision) for line in lines if line.record != "clock"]
    assert kept == told, f"{source}: {len(kept)} facts of {len(told)} changes"


def _some(names: Collection[str]) -> str:
    """Return the first few of many."""
    return f"{len(names)}: {', '.join(sorted(names)[:5])}"


class Accessed(NamedTuple):
    """One line of an access journal."""

    position: int
    action: str
    actor: str
    event: bytes


def demand_access(url: str) -> list[Accessed]:
    """I3 of an access journal: positions dense, the head at the last, events say what their line says."""
    engine = database.reading(url)
    with engine.connect() as tx:
        found = accessed(tx)
    engine.dispose()
    return found


def accessed(tx: sa.Connection) -> list[Accessed]:
    """The same over a connection that is there."""
    head = tx.execute(sa.text("SELECT position FROM access_head")).scalar_one()
    lines = [Accessed(*row) for row in tx.execute(_select("access_journal", Accessed, "position"))]
    positions = [line.position for line in lines]
    assert positions == list(range(1, len(lines) + 1)), "an access position is missing"
    assert head == len(lines), f"the access head is {head} after {len(lines)} lines"
    for line in lines:
        change = AccessEvent.FromString(line.event).change
        said = (change.position, change.action, change.actor)
        assert said == line[:3], f"access {line.position} says {said}"
    return lines
