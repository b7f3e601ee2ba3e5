"""A joint review: one opinion asked of each department concerned, by a day that the pack's calendar sets."""

from kernel.case import Case, Role
from kernel.dates import from_date, iso
from kernel.errors import Denied, Invalid, Refused
from kernel.lifecycle import Lifecycle, Move, Of
from luoshu.coordination.v1 import coordination_pb2 as pb

S = pb.Review.State


def check(review: pb.Review, case: Case) -> None:
    """Fill a new review's due date from the pack. Raises Refused: nobody is asked."""
    if not review.opinions:
        raise Refused("a review asks at least one department", "会签至少应征求一个部门的意见")
    rule = case.pack.review_rules.get("default", case.effective)
    due = case.pack.add_working_days(case.effective, rule.due_working_days)
    review.open_date.CopyFrom(from_date(case.effective))
    review.due_date.CopyFrom(from_date(due.date))
    review.due_provisional = due.provisional


def opine(review: pb.Review, command: pb.OpineReviewRequest, case: Case) -> int:
    """Write down a department's opinion; the last one ends the review.

    Raises:
        Denied: the caller's department is not asked.
        Refused: it has answered already.
        Invalid: an objection without reasons, conditions where there are none to set, or none where they are set.
    """
    _explained(command)
    opinion = _asked(review, case.caller.department)
    opinion.verdict, opinion.text = command.verdict, command.text
    opinion.conditions.extend(command.conditions)
    opinion.actor = case.caller.actor
    opinion.answer_date.CopyFrom(from_date(case.effective))
    if any(not other.verdict for other in review.opinions):
        return S.STATE_OPEN
    return _conclude(review, case)


def cancel(review: pb.Review, command: pb.CancelReviewRequest, case: Case) -> None:
    """End a review that has lost its object."""
    review.cancel_reason = command.reason
    review.conclude_date.CopyFrom(from_date(case.effective))


def _conclude(review: pb.Review, case: Case) -> int:
    objected = any(opinion.verdict == pb.VERDICT_OBJECT for opinion in review.opinions)
    review.outcome = pb.OUTCOME_OBJECTED if objected else pb.OUTCOME_AGREED
    review.conclude_date.CopyFrom(from_date(case.effective))
    return S.STATE_CONCLUDED


def _asked(review: pb.Review, department: str) -> pb.Opinion:
    for opinion in review.opinions:
        if opinion.department == department:
            if opinion.verdict:
                name = pb.Verdict.Name(opinion.verdict)
                raise Refused(
                    f"{department} answered {name} on {iso(opinion.answer_date)}; an opinion is given once",
                    f"{department} 已于 {iso(opinion.answer_date)} 答复 {name}；意见只能提交一次",
                    reason="ALREADY_ANSWERED",
                )
            return opinion
    asked = ", ".join(opinion.department for opinion in review.opinions)
    raise Denied(
        f"{department or 'no department'} is not asked; these are: {asked}",
        f"未征求 {department or '未注明部门'} 的意见；被征求意见的部门：{asked}",
        reason="NOT_ASKED",
    )


def _explained(command: pb.OpineReviewRequest) -> None:
    conditional = command.verdict == pb.VERDICT_AGREE_WITH_CONDITIONS
    if conditional != bool(command.conditions):
        raise Invalid(
            "conditions go with VERDICT_AGREE_WITH_CONDITIONS, and that verdict with conditions",
            "附条件同意须列明条件；其他意见不得附条件",
            field="conditions",
        )
    if command.verdict in (pb.VERDICT_OBJECT, pb.VERDICT_RECUSE) and not command.text.strip():
        raise Invalid(
            "text: an objection or a recusal needs its reasons",
            "不同意或回避须说明理由",
            field="text",
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
            opine,
            (S.STATE_OPEN, S.STATE_CONCLUDED),
            by=(Role.CASE_OFFICER, Role.APPROVER),
            of=Of.CONCERNED,
            within=10,
        ),
        Move(S.STATE_OPEN, cancel, S.STATE_CANCELLED, by=(Role.SYSTEM,)),
    ),
)
