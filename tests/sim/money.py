"""Money at every moment of a journal, transaction by transaction: I7, and I8 for its approvals."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.funding.v1 import funding_pb2 as funding
from tests.invariants import Line

ASKS = frozenset(
    {
        "open_joint_review",
        "resubmit",
        "end_completion",
        "change_person",
        "change_unit",
        "change_end_date",
        "change_budget",
        "ask_again",
    }
)
"""After these the departments have to agree before anything is paid."""


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


def demand_agreed(lines: Sequence[Line], reviews: Sequence[Line]) -> None:
    """Nothing is paid before the departments, in coordination's own journal, have agreed to the newest change."""
    agreed = list(_agreements(reviews))
    newest: dict[str, int] = {}
    for line in lines:
        event = funding.FundingEvent.FromString(line.event)
        change, name = event.change, event.change.record
        if change.action in ASKS and event.application.joint_review.round:
            newest[name] = change.revision
        if change.action == "pay_instalment" and name in newest:
            paid = change.commit_time.ToMicroseconds()
            heard = [(n, r, at) for n, r, at in agreed if n == name and r >= newest[name]]
            said = f"I7: {name} is paid at revision {change.revision}"
            assert any(at <= paid for _, _, at in heard), (
                f"{said}, and {newest[name]} not agreed to"
            )


def _agreements(reviews: Sequence[Line]) -> Iterator[tuple[str, int, int]]:
    """Yield application, revision and time of every agreement."""
    for line in reviews:
        event = coordination.CoordinationEvent.FromString(line.event)
        review, change = event.review, event.change
        concluded = change.to_state == "STATE_CONCLUDED"
        if concluded and review.outcome == coordination.OUTCOME_AGREED:
            yield (
                review.application,
                review.asked_revision,
                change.commit_time.ToMicroseconds(),
            )
