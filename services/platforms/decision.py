"""The act that sets a platform up: recognised, approved, or put on file, by its kind."""

from typing import Protocol

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Refused
from kernel.pack import Kind
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import day_after, demand_steps, kind_of, today
from services.platforms.subfield import demand_free

REVIEW = ("formal_check", "expert_review", "joint_review", "public_notice")


class Documented(Protocol):
    """A command that names the document which says so."""

    document_number: str


def nurture(platform: pb.Platform, command: pb.NurturePlatformRequest, case: Case) -> None:
    """Take the platform into nurture; its review then starts again. Raises Refused, Invalid."""
    kind = kind_of(platform, case)
    if not kind.nurtured or platform.HasField("nurture"):
        raise Refused(
            f"cannot nurture: {kind.en} is not nurtured, or was already; allowed: {kind.ending}",
            f"不能培育：{kind.zh}无需培育或已培育；可执行：{kind.ending}",
            reason="NURTURE_FORBIDDEN",
        )
    demand_steps(platform, "nurture", REVIEW, case)
    _demand_notice_over(platform, "nurture", case)
    _demand_no_objection(platform, "nurture")
    due = day_after(command.due_date, case.effective, "due_date")
    platform.nurture.start_date.CopyFrom(today(case))
    platform.nurture.due_date.CopyFrom(from_date(due))
    platform.nurture.document_number = command.document_number
    # The next review is another question, and so another round.
    platform.joint_review.CopyFrom(pb.JointReview(round=platform.joint_review.round))
    platform.ClearField("public_notice")


def recognize(platform: pb.Platform, command: pb.RecognizePlatformRequest, case: Case) -> None:
    """Recognise the platform (认定). Raises Refused."""
    _set_up(platform, command, "recognize", case)


def approve(platform: pb.Platform, command: pb.ApprovePlatformRequest, case: Case) -> None:
    """Approve the platform's setting up (批复). Raises Refused."""
    _set_up(platform, command, "approve", case)


def put_on_file(platform: pb.Platform, command: pb.PutOnFilePlatformRequest, case: Case) -> None:
    """Put the platform on file (备案). Raises Refused."""
    _set_up(platform, command, "put_on_file", case)


def _set_up(platform: pb.Platform, command: Documented, action: str, case: Case) -> None:
    kind = kind_of(platform, case)
    _demand_ending(platform, kind, action)
    demand_steps(platform, action, REVIEW, case)
    _demand_notice_over(platform, action, case)
    _demand_no_objection(platform, action)
    demand_free(platform, kind, case)
    platform.document_number = command.document_number
    platform.recognition_date.CopyFrom(today(case))
    platform.official_number = official_number(kind, case)


def official_number(kind: Kind, case: Case) -> str:
    """Return the next number of the kind and year, gapless: `豫-KL-2026-0001`."""
    year = case.effective.year
    number = case.number(f"{kind.id}/{year}")
    return f"{case.pack.abbreviation}-{kind.code}-{year}-{number:04d}"


def _demand_ending(platform: pb.Platform, kind: Kind, action: str) -> None:
    if kind.ending != action:
        raise Refused(
            f"cannot {action}: {kind.en} is set up by another act; allowed: {kind.ending}",
            f"不能执行 {action}：{kind.zh}的设立方式不同；可执行：{kind.ending}",
            reason="WRONG_ENDING",
        )
    if kind.nurtured and not platform.HasField("nurture"):
        raise Refused(
            f"cannot {action}: {kind.en} is nurtured first; allowed: nurture",
            f"不能执行 {action}：{kind.zh}须先培育；可执行：nurture",
            reason="NURTURE_MISSING",
        )


def _demand_notice_over(platform: pb.Platform, action: str, case: Case) -> None:
    """The notice ends with its last local day: the day after is the first that is free."""
    end = to_date(platform.public_notice.end_date)
    if end and case.effective <= end:
        raise Refused(
            f"cannot {action} on {case.effective}: the notice runs to the end of {end}",
            f"不能在{case.effective}执行 {action}：公示至{end}结束",
            reason="NOTICE_RUNNING",
        )


def _demand_no_objection(platform: pb.Platform, action: str) -> None:
    for objection in platform.public_notice.objections:
        if objection.resolved and not objection.upheld:
            continue
        said, said_zh = ("upheld", "成立") if objection.resolved else ("open", "尚未处理")
        allowed = "reject" if objection.resolved else "resolve_objection, reject"
        raise Refused(
            f"cannot {action}: objection {objection.number} is {said}; allowed: {allowed}",
            f"不能执行 {action}：第{objection.number}号异议{said_zh}；可执行：{allowed}",
            reason="OBJECTION_STANDS",
        )
