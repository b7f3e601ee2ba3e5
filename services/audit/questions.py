"""What an auditor asks: entries by time, newest first, a page at a time; each question walks one index.

Spans are read one by one and approvals 200 at a time, so that a page costs the same however long the log is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from kernel.database import TEXT, WHOLE
from kernel.errors import Invalid
from kernel.pack import Pack
from luoshu.audit.v1 import audit_pb2 as pb
from services.audit import store
from services.audit.domain import MAX_SECONDS, Columns, LogEntry
from services.audit.hours import Span, off_hours
from services.audit.paging import place_of, token_of
from services.audit.schema import entry
from services.audit.search import microseconds_of, to_entry

DEFAULT_PAGE = 50
SPANS = 100
"""Spans outside of office hours (some two months) that one page looks into."""
APPROVALS = 200
"""Approvals that one page looks at."""
SYSTEM = "SYSTEM"
ACTS = ("started", "stopped", "settings_changed", "key_changed", "rebuilt")
"""What a person does who has no department: an operator at the machine."""
Q = pb.Question


class Place(NamedTuple):
    """Where a page goes on: below this commit time and index."""

    commit_time: int
    number: int


TOP = Place(MAX_SECONDS * 1_000_000, 2**62)


class Page(NamedTuple):
    """Rows, and where the next page goes on; None: there is none."""

    rows: list[LogEntry]
    last: Place | None


@dataclass(frozen=True, slots=True)
class Asking:
    """What the questions need from outside. `approvals`: source → actions that decide about a record for others."""

    pack: Pack
    approvals: Mapping[str, frozenset[str]]


def answer(
    connection: sa.Connection, request: pb.AskEntriesRequest, asking: Asking
) -> pb.ListEntriesResponse:
    """Return one page. Raises Invalid: a token of another question, a time that is no time, what a question needs."""
    size = store.tree_size(connection)
    count, after = request.page_size or DEFAULT_PAGE, Place._make(place_of(request, 2) or TOP)
    page = _page(connection, request, asking, after, count)
    response = pb.ListEntriesResponse(tree_size=size)
    response.entries.extend(to_entry(one, with_event=False) for one in page.rows)
    if page.last is not None:
        response.next_page_token = token_of(page.last, request)
    return response


def _page(
    connection: sa.Connection,
    request: pb.AskEntriesRequest,
    asking: Asking,
    after: Place,
    count: int,
) -> Page:
    match request.question:
        case Q.QUESTION_RECORD:
            _demand(request.record, "record")
        case Q.QUESTION_ACTOR:
            _demand(request.actor, "actor")
        case Q.QUESTION_OFF_HOURS:
            return _off_hours(connection, request, asking.pack, after, count)
        case Q.QUESTION_UNSECONDED:
            return _unseconded(connection, request, asking.approvals, after, count)
    rows = _rows(connection, _query(request), _within(request), after, count + 1)
    return _cut(rows, count)


def _demand(value: str, field: str) -> None:
    if not value:
        raise Invalid(
            f"{field}: say which one this question is about",
            f"{field}：请填写该问题所问的对象",
            field=field,
        )


def _within(request: pb.AskEntriesRequest) -> Span:
    start = microseconds_of(request.start_time, "start_time") if request.HasField("start_time") else 1  # fmt: skip
    end = microseconds_of(request.end_time, "end_time") if request.HasField("end_time") else TOP.commit_time  # fmt: skip
    return Span(max(start, 1), end)  # 0: the event does not tell its time


def _query(
    request: pb.AskEntriesRequest, *more: sa.ColumnElement[bool]
) -> sa.Select[tuple[Any, ...]]:
    """Return what finds entries of a span, the newest first: made once a page, which may look into many."""
    return _newest(sa.select(entry).where(*_conditions(request), *more))


def _newest(query: sa.Select[tuple[Any, ...]]) -> sa.Select[tuple[Any, ...]]:
    moment, number = entry.c.commit_time, entry.c.index
    start, end, before, below, count = (
        sa.bindparam(name, type_=WHOLE) for name in ("start", "end", "before", "below", "count")
    )
    place = sa.tuple_(moment, number) < sa.tuple_(before, below)
    within = query.where(moment >= start, moment < end, place)
    return within.order_by(moment.desc(), number.desc()).limit(count)


def _found(
    connection: sa.Connection,
    query: sa.Select[tuple[Any, ...]],
    span: Span,
    after: Place,
    count: int,
    **more: str,
) -> sa.CursorResult[tuple[Any, ...]]:
    end = min(span.end, after.commit_time + 1)  # one bound a side: of two SQLite walks by the first
    place = {"before": after.commit_time, "below": after.number}
    return connection.execute(
        query, {"start": span.start, "end": end, **place, "count": count, **more}
    )


def _rows(
    connection: sa.Connection,
    query: sa.Select[tuple[Any, ...]],
    span: Span,
    after: Place,
    count: int,
) -> list[LogEntry]:
    return [store.log_entry(row) for row in _found(connection, query, span, after, count)]


def _conditions(request: pb.AskEntriesRequest) -> list[sa.ColumnElement[bool]]:
    wanted = ("source", "record", "actor", "department")
    return [entry.c[name] == value for name in wanted if (value := getattr(request, name))]


def _cut(rows: Sequence[LogEntry], count: int) -> Page:
    shown = list(rows[:count])
    return Page(shown, _place(shown[-1]) if len(rows) > count else None)


def _place(one: LogEntry) -> Place:
    return Place(_columns(one).commit_time, one.index)


def _columns(one: LogEntry) -> Columns:
    assert one.columns is not None  # noqa: S101 - it was read from the table
    return one.columns


# Outside of office hours.


def _off_hours(
    connection: sa.Connection,
    request: pb.AskEntriesRequest,
    pack: Pack,
    after: Place,
    count: int,
) -> Page:
    """What services do by themselves (the day's tick, deemed consent) is left out; an operator's acts are not."""
    columns, rows = entry.c, list[LogEntry]()
    person = sa.or_(columns.department != SYSTEM, columns.action.in_(ACTS))
    within, query = _known(connection, _within(request), after), _query(request, person)
    for number, span in enumerate(off_hours(pack, within)):
        if number == SPANS:
            return Page(rows, Place(span.end, 0))
        rows += _rows(connection, query, span, after, count + 1 - len(rows))
        if len(rows) > count:
            return _cut(rows, count)
    return Page(rows, None)


def _known(connection: sa.Connection, within: Span, after: Place) -> Span:
    """Return the part of a span in which there are entries that are still to be shown."""
    first = connection.scalar(sa.select(sa.func.min(entry.c.commit_time)).where(entry.c.commit_time > 0))  # fmt: skip
    last = connection.scalar(sa.select(sa.func.max(entry.c.commit_time)))
    return Span(max(within.start, first or 1), min(within.end, after.commit_time + 1, (last or 0) + 1))  # fmt: skip


# Without a second pair of eyes.


def _unseconded(
    connection: sa.Connection,
    request: pb.AskEntriesRequest,
    approvals: Mapping[str, frozenset[str]],
    after: Place,
    count: int,
) -> Page:
    """Approvals of records on which nobody but the approver had acted before."""
    places = _approvals(connection, approvals, _within(request), after)
    rows = _alone(connection, request, approvals, places)
    if len(rows) > count:
        return _cut(rows, count)
    return Page(rows, places[-1] if len(places) == APPROVALS else None)


def _approvals(
    connection: sa.Connection,
    approvals: Mapping[str, frozenset[str]],
    span: Span,
    after: Place,
) -> list[Place]:
    """Return where the next approvals are, the newest first: a short walk of the index for each action, merged."""
    places, columns = list[Place](), entry.c
    of_action = columns.action == sa.bindparam("action", type_=TEXT)
    query = _newest(sa.select(columns.commit_time, columns.index).where(of_action))
    for action in sorted(frozenset[str]().union(*approvals.values())):
        found = _found(connection, query, span, after, APPROVALS, action=action)
        places += map(Place._make, found)
    return sorted(places, reverse=True)[:APPROVALS]


def _alone(
    connection: sa.Connection,
    request: pb.AskEntriesRequest,
    approvals: Mapping[str, frozenset[str]],
    places: Sequence[Place],
) -> list[LogEntry]:
    """Return those on whose record no other account had acted."""
    columns, other = entry.c, entry.alias("other").c
    pairs = [(source, action) for source, actions in approvals.items() for action in actions]
    earlier = sa.exists().where(
        other.record == columns.record,
        other.index < columns.index,
        other.source + ""
        == columns.source,  # no index serves that: SQLite would walk all of a journal by it
        other.actor != columns.actor,
        other.department != SYSTEM,
    )
    query = (
        sa.select(entry)
        .where(columns.index.in_([place.number for place in places]), *_conditions(request))
        .where(sa.tuple_(columns.source, columns.action).in_(pairs), ~earlier)
        .order_by(columns.commit_time.desc(), columns.index.desc())
    )
    return [store.log_entry(row) for row in connection.execute(query)]
