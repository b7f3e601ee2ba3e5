"""A finding: two applications that may be the same work. The system raises it, a person says what it is."""

from kernel.case import Case, Role
from kernel.dates import from_date
from kernel.errors import NotFound, Refused
from kernel.lifecycle import Lifecycle, Move, Of
from luoshu.coordination.v1 import coordination_pb2
from luoshu.coordination.v1 import findings_pb2 as pb

S = pb.Finding.State
R = coordination_pb2.Review.State
FOUND = (
    "application",
    "other",
    "title",
    "candidate",
    "texts_digest",
    "funding_position",
    "round",
    "review",
    "lead_department",
    "concerned_departments",
)
"""What the search says; the rest is a person's."""
DECIDED = (
    "disposition",
    "reason",
    "decided_by",
    "deciding_department",
    "decide_date",
    "lapse_reason",
)


def check(finding: pb.Finding, case: Case) -> None:
    """Nothing is left to fill in: the search has said it all."""


def dispose(finding: pb.Finding, command: pb.DisposeFindingRequest, case: Case) -> None:
    """Write down what it is. Raises Refused while the other department is asked."""
    _demand_answered(finding, case)
    finding.disposition, finding.reason = command.disposition, command.reason
    finding.decided_by = case.caller.actor
    finding.deciding_department = case.caller.department
    finding.decide_date.CopyFrom(from_date(case.effective))


def raise_again(finding: pb.Finding, command: pb.RaiseAgainFindingRequest, case: Case) -> None:
    """Open it again with what is found now: a text has changed, so the decision was about something else."""
    for field in (*FOUND, *DECIDED):
        finding.ClearField(field)  # type: ignore[arg-type]
    found = pb.Finding()
    found.CopyFrom(command.finding)
    for field in found.DESCRIPTOR.fields_by_name:
        if field not in FOUND:
            found.ClearField(field)  # type: ignore[arg-type]
    finding.MergeFrom(found)


def lapse(finding: pb.Finding, command: pb.LapseFindingRequest, case: Case) -> None:
    """End it undecided: one of the two is gone, or continues the other."""
    finding.lapse_reason = command.reason


def _demand_answered(finding: pb.Finding, case: Case) -> None:
    try:
        review = case.get(finding.review) if finding.review else None
    except NotFound:
        return
    if review is not None and review.state not in (R.STATE_CONCLUDED, R.STATE_CANCELLED):
        asked = [o.department for o in review.opinions if not o.verdict]
        raise Refused(
            f"{finding.review} still asks {', '.join(asked)}; dispose when it has ended",
            f"{finding.review} 仍在征求{'、'.join(asked)}的意见；会签办结后方可认定",
            reason="REVIEW_OPEN",
        )


LIFECYCLE = Lifecycle(
    states=S,
    initial=S.STATE_OPEN,
    check=check,
    create_by=(Role.SYSTEM,),
    public=frozenset(),
    moves=(
        Move(
            S.STATE_OPEN,
            dispose,
            S.STATE_DISPOSED,
            by=(Role.CASE_OFFICER, Role.APPROVER),
            of=Of.LEAD,
        ),
        Move(S.STATE_OPEN, raise_again, S.STATE_OPEN, by=(Role.SYSTEM,)),
        Move(S.STATE_OPEN, lapse, S.STATE_LAPSED, by=(Role.SYSTEM,)),
        Move(S.STATE_DISPOSED, raise_again, S.STATE_OPEN, by=(Role.SYSTEM,)),
        Move(S.STATE_LAPSED, raise_again, S.STATE_OPEN, by=(Role.SYSTEM,)),
    ),
)
