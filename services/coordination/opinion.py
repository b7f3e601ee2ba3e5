"""What departments say: opinions within their own remit, and conditions until they are met."""

from kernel.case import Case
from kernel.dates import from_date, iso
from kernel.errors import Denied, Invalid, NotFound, Refused
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.clock import S, date_condition, last_day, missing, tidy

MOST_CONDITIONS = 40


def opine(review: pb.Review, command: pb.OpineReviewRequest, case: Case) -> int:
    """Write down a department's opinion; the last one ends the review.

    Raises:
        Denied: the caller's department is not asked, or its deputy is to answer now.
        Refused: it has answered already, or its last day is over.
        Invalid: an objection without reasons, conditions where there are none to set, or none where they are set; a field that is
            not the department's business.
    """
    _explained(command)
    opinion = _asked(review, case)
    opinion.verdict, opinion.text = command.verdict, command.text
    opinion.conditions.extend(command.conditions)
    opinion.actor = case.caller.actor
    opinion.answer_date.CopyFrom(from_date(case.effective))
    if command.concerns:
        _demand_remit(opinion, command)
        opinion.concerns[:] = command.concerns
    _set_conditions(review, opinion, case)
    return settle(review, case)


def settle(review: pb.Review, case: Case) -> int:
    """Return where a review stands: open while an opinion is owed, else concluded with its outcome."""
    if any(map(missing, review.opinions)):
        tidy(review)
        return S.STATE_OPEN
    review.outcome = _outcome(review)
    if review.outcome == pb.OUTCOME_AGREED:
        review.ClearField("agreement")  # this is it now
    review.conclude_date.CopyFrom(from_date(case.effective))
    tidy(review)
    return S.STATE_CONCLUDED


def _outcome(review: pb.Review) -> pb.Outcome.ValueType:
    if any(opinion.verdict == pb.VERDICT_OBJECT for opinion in review.opinions):
        return pb.OUTCOME_OBJECTED
    silent = any(opinion.silent for opinion in review.opinions)
    return pb.OUTCOME_UNANSWERED if silent else pb.OUTCOME_AGREED


def _asked(review: pb.Review, case: Case) -> pb.Opinion:
    department = case.caller.department
    for opinion in review.opinions:
        if opinion.department == department:
            _demand_open(opinion)
            _demand_turn(opinion, case.caller.actor)
            _demand_day(opinion, case)
            return opinion
    asked = ", ".join(opinion.department for opinion in review.opinions)
    raise Denied(
        f"{department or 'no department'} is not asked; these are: {asked}",
        f"未征求 {department or '未注明部门'} 的意见；被征求意见的部门：{asked}",
        reason="NOT_ASKED",
    )


def _demand_open(opinion: pb.Opinion) -> None:
    if missing(opinion):
        return
    department, name = opinion.department, pb.Verdict.Name(opinion.verdict)
    said, said_zh = f"answered {name}", f"答复 {name}"
    if opinion.silent:
        said, said_zh = "was silent past its days", "逾期未答复"
    raise Refused(
        f"{department} {said} on {iso(opinion.answer_date)}; an opinion is given once",
        f"{department} 已于 {iso(opinion.answer_date)} {said_zh}；意见只能提交一次",
        reason="ALREADY_ANSWERED",
    )


def _demand_turn(opinion: pb.Opinion, actor: str) -> None:
    """Past the department's last day its deputy answers, and nobody else."""
    if opinion.deputy and actor != opinion.deputy:
        day = iso(opinion.escalate_date)
        raise Denied(
            f"{opinion.department} was silent, so since {day} {opinion.deputy} answers for it until "
            f"{iso(opinion.deputy_due_date)}; hand it over",
            f"{opinion.department} 逾期未答复，自 {day} 起由 {opinion.deputy} 代行答复，"
            f"至 {iso(opinion.deputy_due_date)} 止；请转交",
            reason="ESCALATED",
        )


def _demand_day(opinion: pb.Opinion, case: Case) -> None:
    """What is due happens within a second of midnight: whether an answer counts does not hang on which came first."""
    last = last_day(opinion)
    if case.today > last:
        raise Refused(
            f"{opinion.department} could answer to the end of {last}; what follows happens by itself",
            f"{opinion.department} 的答复期限至 {last} 止；其后由系统自动办理",
            reason="PAST_DUE",
        )


def _demand_remit(opinion: pb.Opinion, command: pb.OpineReviewRequest) -> None:
    own = list(opinion.concerns)
    for index, field in enumerate(command.concerns):
        if field not in own:
            raise Invalid(
                f"{field} is not {opinion.department}'s business here; its own: {', '.join(own) or 'none'}",
                f"{field} 不属于 {opinion.department} 的职责范围；其职责范围：{'、'.join(own) or '无'}",
                field=f"concerns[{index}]",
                reason="NOT_IN_REMIT",
            )


def _set_conditions(review: pb.Review, opinion: pb.Opinion, case: Case) -> None:
    if len(review.conditions) + len(opinion.conditions) > MOST_CONDITIONS:
        raise Refused(
            f"a review holds {MOST_CONDITIONS} conditions at most; put some together",
            f"每次会签最多 {MOST_CONDITIONS} 项条件；请合并",
            reason="LIST_FULL",
        )
    for text in opinion.conditions:
        number = len(review.conditions) + 1
        condition = review.conditions.add(
            number=number,
            department=opinion.department,
            text=text,
            set_date=from_date(case.effective),
        )
        date_condition(condition, review, case.pack)


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


def confirm_condition(
    review: pb.Review, command: pb.ConfirmConditionReviewRequest, case: Case
) -> int:
    """Write down that a condition is met, and what shows it. Raises NotFound, Refused; Denied unless the department set it."""
    condition = _condition(review, command.number)
    if condition.department != case.caller.department:
        raise Denied(
            f"condition {condition.number} was set by {condition.department}, which confirms it",
            f"第{condition.number}项条件由 {condition.department} 提出，须由其确认",
            reason="NOT_THE_DEPARTMENT",
        )
    over = iso(condition.confirm_date) or iso(condition.lapse_date)
    if over:
        raise Refused(
            f"condition {condition.number} was confirmed or fell away on {over}",
            f"第{condition.number}项条件已于{over}确认或失效",
            field="number",
            reason="CONDITION_DONE",
        )
    condition.confirmed_by, condition.evidence = case.caller.actor, command.evidence
    condition.confirm_date.CopyFrom(from_date(case.effective))
    tidy(review)
    return review.state


def _condition(review: pb.Review, number: int) -> pb.Condition:
    for condition in review.conditions:
        if condition.number == number:
            return condition
    count = len(review.conditions)
    raise NotFound(
        f"there is no condition {number}; the review has {count}",
        f"没有第{number}项条件；本次会签共{count}项",
        field="number",
    )
