"""Lists entries: conditions to SQL, keyset pages by index, tokens that fit one query only."""

from typing import Any

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.errors import Invalid
from luoshu.audit.v1 import audit_pb2 as pb
from services.audit import schema, store
from services.audit.domain import LogEntry, change
from services.audit.paging import place_of, token_of
from services.audit.schema import entry

DEFAULT_PAGE = 50
MAX_PAGE = 1000
MAX_PAGE_BYTES = 2 * 1024 * 1024
"""A page ends at this size, below the 4 MiB that a gRPC client takes by default."""
EQUALS = ("source", "record", "actor", "action", "department")


def page(connection: sa.Connection, request: pb.ListEntriesRequest) -> pb.ListEntriesResponse:
    """Return one page. Raises Invalid: a token of another query, a time that is no time."""
    size = store.tree_size(connection)  # first: the page never has more than the size says
    limit = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    low, high = _between(connection, request, size)
    within = (
        entry.c.index >= low,
        entry.c.index < high,
    )  # one bound a side: of two SQLite walks by the first
    query = sa.select(entry).where(*within, *_conditions(request))
    rows = connection.execute(query.order_by(_order(request)).limit(limit + 1))
    found = [store.log_entry(row) for row in rows]
    response = pb.ListEntriesResponse(tree_size=size)
    room = MAX_PAGE_BYTES
    for one in found[:limit]:
        item = to_entry(one, with_event=request.include_event)
        room -= item.ByteSize()
        if room < 0 and response.entries:
            break
        response.entries.append(item)
    if len(response.entries) < len(found):
        response.next_page_token = token_of([response.entries[-1].index], request)
    return response


def to_entry(one: LogEntry, *, with_event: bool) -> pb.Entry:
    """Return an entry as it goes over the wire; its head is read from its bytes."""
    return pb.Entry(
        name=f"entries/{one.index}",
        index=one.index,
        source=one.source,
        shard=one.shard,
        position=one.position,
        change=change(one.event),
        event=one.event if with_event else b"",
        leaf_hash=one.leaf_hash,
    )


def _order(request: pb.ListEntriesRequest) -> sa.ColumnElement[int]:
    return entry.c.index.asc() if request.oldest_first else entry.c.index.desc()


def _conditions(request: pb.ListEntriesRequest) -> list[sa.ColumnElement[bool]]:
    wanted = {name: getattr(request, name) for name in EQUALS}
    conditions = [entry.c[name] == value for name, value in wanted.items() if value]
    moment = (
        entry.c.commit_time + 0
    )  # no index serves that: by one of times, all of the time would be sorted
    if request.HasField("start_time"):
        start = microseconds_of(request.start_time, "start_time")
        conditions.append(moment >= start)
    if request.HasField("end_time"):
        end = microseconds_of(request.end_time, "end_time")
        conditions.append(moment < end)
    if request.HasField("start_time") or request.HasField("end_time"):
        conditions.append(moment > 0)  # 0: the event does not tell its time
    return conditions


def _between(
    connection: sa.Connection, request: pb.ListEntriesRequest, size: int
) -> tuple[int, int]:
    """Return from which index on, and below which, the page's entries lie: without, it would walk all that is newer, or older.

    Commit times of a journal never fall, so its first entry of a time has the lowest index.
    """
    low, high, moment, index = 0, size, entry.c.commit_time, entry.c.index
    if request.HasField("start_time"):
        start = microseconds_of(request.start_time, "start_time")
        first = connection.scalar(sa.select(sa.func.min(_edges(moment >= start, moment, index))))
        low = size if first is None else first
    if request.HasField("end_time"):
        end = microseconds_of(request.end_time, "end_time")
        earlier = sa.and_(moment > 0, moment < end)
        last = connection.scalar(
            sa.select(sa.func.max(_edges(earlier, moment.desc(), index.desc())))
        )
        high = 0 if last is None else min(size, last + 1)
    if place := place_of(request, 1):
        (last,) = place
        return (max(low, last + 1), high) if request.oldest_first else (low, min(high, last))
    return low, high


def _edges(condition: sa.ColumnElement[bool], *order: sa.ColumnElement[int]) -> Any:
    """Return each journal's first index by an order of time, as a column."""
    journals = schema.cursor
    of_one = sa.select(entry.c.index).where(entry.c.source == journals.c.source, condition)
    first = of_one.order_by(*order).limit(1).correlate(journals).scalar_subquery()
    return sa.select(first.label("edge")).select_from(journals).subquery().c.edge


def microseconds_of(time: Timestamp, field: str) -> int:
    """Raises Invalid."""
    try:
        return time.ToMicroseconds()
    except ValueError:
        raise Invalid(
            "not a time of the years 1 to 9999", "时间须在公元 1 至 9999 年", field=field
        ) from None
