"""A joint review: one opinion asked of each department concerned, by a day that the pack's calendar sets."""

from kernel.case import Case, Role
from kernel.dates import from_date
from kernel.errors import Refused
from kernel.lifecycle import Lifecycle, Move, Of, Offers
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.change import ask, cancel, carry_over, pause, resume, revise
from services.coordination.clock import S, deadlines, missing, outdated, rule_of, tidy, unmet
from services.coordination.opinion import confirm_condition, opine
from services.coordination.silence import escalate, fall_silent, remind, reschedule

SYSTEM = (Role.SYSTEM,)
OFFICE = (Role.CASE_OFFICER, Role.APPROVER)


def check(review: pb.Review, case: Case) -> None:
    """Ask the departments of a new review. Raises Refused: nobody is asked."""
    if not review.opinions:
        raise Refused("a review asks at least one department", "会签至少应征求一个部门的意见")
    review.open_date.CopyFrom(from_date(case.effective))
    review.rule = rule_of(review, case.pack).id
    review.asked_revision = review.basis_revision
    for opinion in review.opinions:
        ask(opinion, review, case)
    # Of a platform or a list another round is another question.
    if review.round > 1 and review.application:
        carry_over(review, case)
    tidy(review)


def offered(review: pb.Review) -> Offers:
    """An opinion waits for who is asked and has not answered, a condition for who set it."""
    asked = tuple(opinion.department for opinion in review.opinions if missing(opinion))
    return ("opine", asked), ("confirm_condition", tuple(c.department for c in unmet(review)))


LIFECYCLE = Lifecycle(
    states=S,
    initial=S.STATE_OPEN,
    check=check,
    create_by=SYSTEM,
    public=frozenset(),
    moves=(
        Move(
            S.STATE_OPEN,
            opine,
            (S.STATE_OPEN, S.STATE_CONCLUDED),
            by=OFFICE,
            of=Of.CONCERNED,
            within=10,
        ),
        Move(S.STATE_OPEN, confirm_condition, S.STATE_OPEN, by=OFFICE, of=Of.CONCERNED),
        Move(S.STATE_OPEN, remind, S.STATE_OPEN, by=SYSTEM),
        Move(S.STATE_OPEN, escalate, (S.STATE_OPEN, S.STATE_CONCLUDED), by=SYSTEM),
        Move(S.STATE_OPEN, fall_silent, (S.STATE_OPEN, S.STATE_CONCLUDED), by=SYSTEM),
        Move(S.STATE_OPEN, reschedule, S.STATE_OPEN, by=SYSTEM),
        Move(S.STATE_OPEN, pause, S.STATE_PAUSED, by=SYSTEM),
        Move(S.STATE_PAUSED, resume, (S.STATE_OPEN, S.STATE_CONCLUDED), by=SYSTEM),
        Move(S.STATE_OPEN, revise, (S.STATE_OPEN, S.STATE_CONCLUDED), by=SYSTEM),
        Move((S.STATE_OPEN, S.STATE_PAUSED), cancel, S.STATE_CANCELLED, by=SYSTEM),
        Move(S.STATE_CONCLUDED, confirm_condition, S.STATE_CONCLUDED, by=OFFICE, of=Of.CONCERNED),
        Move(S.STATE_CONCLUDED, revise, (S.STATE_OPEN, S.STATE_CONCLUDED), by=SYSTEM),
        # It ended while the applicant was completing: of that it hears later.
        Move(S.STATE_CONCLUDED, resume, (S.STATE_OPEN, S.STATE_CONCLUDED), by=SYSTEM),
    ),
    deadlines=deadlines,
    outdated=outdated,
    offered=offered,
)
