"""Money at every moment of a journal, transaction by transaction: I7, and I8 for its approvals."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from luoshu.funding.v1 import funding_pb2 as funding
from tests.invariants import Line


def demand(lines: Sequence[Line]) -> None:
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
