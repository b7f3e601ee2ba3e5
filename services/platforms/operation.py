"""Construction, acceptance, operation, evaluation, rectification."""

from kernel.case import Case
from kernel.dates import from_date, months_later, to_date
from kernel.errors import Invalid, Refused
from kernel.pack import Grade, Kind
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import S, day_after, kind_of, set_end, skips, today


def start_construction(
    platform: pb.Platform, command: pb.StartConstructionPlatformRequest, case: Case
) -> None:
    """Start the construction, for no longer than the kind allows. Raises Invalid."""
    kind = kind_of(platform, case)
    due = day_after(command.due_date, case.effective, "due_date")
    latest = months_later(case.effective, kind.build_months)
    if kind.build_months and due > latest:
        raise Invalid(
            f"{due} is too late: {kind.en} is built in {kind.build_months} months, by {latest}",
            f"{due}过晚：{kind.zh}建设期为{kind.build_months}个月，最晚为{latest}",
            field="due_date",
            reason="CONSTRUCTION_TOO_LONG",
        )
    platform.construction.start_date.CopyFrom(today(case))
    platform.construction.due_date.CopyFrom(from_date(due))
    platform.construction.planned_investment_fen = command.planned_investment_fen


def extend_construction(
    platform: pb.Platform, command: pb.ExtendConstructionPlatformRequest, case: Case
) -> None:
    """Give the construction more time. Raises Invalid where the day is not later."""
    construction = platform.construction
    before = to_date(construction.due_date) or case.effective
    construction.due_date.CopyFrom(from_date(day_after(command.due_date, before, "due_date")))
    construction.extensions_count += 1


def pass_acceptance(
    platform: pb.Platform, command: pb.PassAcceptancePlatformRequest, case: Case
) -> None:
    """Accept what was built."""
    platform.construction.acceptance_date.CopyFrom(today(case))
    platform.construction.document_number = command.document_number
    platform.construction.conclusion = command.conclusion


def start_operation(
    platform: pb.Platform, command: pb.StartOperationPlatformRequest, case: Case
) -> None:
    """Start a platform that needs no construction. Raises Refused where the kind is built first."""
    kind = kind_of(platform, case)
    if not skips(kind, "construction", case):
        raise Refused(
            f"cannot start_operation: {kind.en} is built first; allowed: start_construction",
            f"不能直接运行：{kind.zh}须先建设并通过验收；可执行：start_construction",
            reason="STEP_MISSING",
        )


def evaluate(platform: pb.Platform, command: pb.EvaluatePlatformRequest, case: Case) -> int:
    """Keep a round's grade; what follows from it stands in the pack. Raises Invalid, Refused."""
    kind = kind_of(platform, case)
    grade = kind.grade(command.grade, field="grade")
    _demand_next_round(platform, command.round)
    platform.evaluations.add(
        round=command.round,
        grade=grade.id,
        evaluation_date=today(case),
        document_number=command.document_number,
    )
    _rectify(platform, command, grade, case)
    if grade.effect == "revoke":
        set_end(platform, case, _failed(kind, grade, command.round), command.document_number)
    return {
        "keep": S.STATE_OPERATING,
        "rectify": S.STATE_IN_RECTIFICATION,
        "revoke": S.STATE_REVOKED,
    }[grade.effect]


def _demand_next_round(platform: pb.Platform, year: int) -> None:
    last = max((evaluation.round for evaluation in platform.evaluations), default=0)
    if year <= last:
        raise Refused(
            f"the round of {last} was evaluated already; give a later round",
            f"{last}年度评价已完成；请填写更晚的轮次",
            field="round",
            reason="ROUND_EVALUATED",
        )


def _rectify(
    platform: pb.Platform, command: pb.EvaluatePlatformRequest, grade: Grade, case: Case
) -> None:
    """A grade that rectifies needs a due day; any other must not have one."""
    if grade.effect == "rectify":
        due = day_after(command.rectification_due_date, case.effective, "rectification_due_date")
        platform.rectification.CopyFrom(
            pb.Rectification(start_date=today(case), due_date=from_date(due))
        )
    elif command.HasField("rectification_due_date"):
        raise Invalid(
            f"grade {grade.id} demands no rectification; leave rectification_due_date empty",
            f"等级“{grade.zh}”无需整改；请勿填写整改期限",
            field="rectification_due_date",
            reason="RECTIFICATION_NOT_DUE",
        )


def _failed(kind: Kind, grade: Grade, year: int) -> str:
    return f"{kind.zh}{year}年度评价：{grade.zh}"


def complete_rectification(
    platform: pb.Platform, command: pb.CompleteRectificationPlatformRequest, case: Case
) -> None:
    """End a rectification in time; the due day itself is in time. Raises Refused."""
    due = to_date(platform.rectification.due_date)
    if due and case.effective > due:
        raise Refused(
            f"cannot complete_rectification: the time ended with {due}; allowed: evaluate, revoke",
            f"不能完成整改：期限已于{due}届满；可执行：evaluate、revoke",
            reason="DUE_DATE_PASSED",
        )
    platform.rectification.completion_date.CopyFrom(today(case))
    platform.rectification.result = command.result
