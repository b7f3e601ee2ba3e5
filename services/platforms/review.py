"""Experts, site, other departments, the public."""

from kernel.case import Case
from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import Invalid, NotFound, Refused
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import (
    S,
    check_score,
    day_after,
    day_of,
    demand_steps,
    kind_of,
    set_end,
    skips,
    today,
)

Opinion = pb.DepartmentOpinion


def record_expert_review(
    platform: pb.Platform, command: pb.RecordExpertReviewPlatformRequest, case: Case
) -> int:
    """Keep the experts' review; not passed ends the application. Raises Invalid, Refused."""
    demand_steps(platform, "record_expert_review", ("formal_check",), case)
    check_score(command.score_hundredths, "score_hundredths")
    platform.expert_reviews.add(
        score_hundredths=command.score_hundredths,
        opinion=command.opinion,
        experts=command.experts,
        passed=command.passed,
        review_date=from_date(day_of(command.review_date, "review_date", case)),
    )
    return _passed(platform, command.passed, S.STATE_EXPERT_REVIEWED, command.opinion, case)


def record_site_visit(
    platform: pb.Platform, command: pb.RecordSiteVisitPlatformRequest, case: Case
) -> int:
    """Keep the visit's findings; not passed ends the application. Raises Invalid, Refused."""
    demand_steps(platform, "record_site_visit", ("formal_check", "expert_review"), case)
    platform.site_visits.add(
        findings=command.findings,
        visitors_count=command.visitors_count,
        passed=command.passed,
        visit_date=from_date(day_of(command.visit_date, "visit_date", case)),
    )
    return _passed(platform, command.passed, S.STATE_SITE_VISITED, command.findings, case)


def _passed(platform: pb.Platform, passed: bool, state: int, why: str, case: Case) -> int:
    if not passed:
        set_end(platform, case, why)
    return state if passed else S.STATE_REJECTED


def open_joint_review(
    platform: pb.Platform, command: pb.OpenJointReviewPlatformRequest, case: Case
) -> None:
    """Ask the departments that the pack names for the kind; coordination opens the review. Raises Invalid, Refused."""
    kind = kind_of(platform, case)
    if command.HasField("due_date"):
        raise Invalid(
            "due_date: the departments' days follow from the pack's review rule; leave it empty",
            "due_date：答复期限按会签规则计算；请留空",
            field="due_date",
            reason="NOT_SAID_HERE",
        )
    if skips(kind, "joint_review", case):
        raise Refused(
            f"{kind.en} has no joint review; allowed: publish_notice, or {kind.ending}",
            f"{kind.zh}无需会签；可执行：publish_notice 或 {kind.ending}",
            reason="STEP_SKIPPED",
        )
    demand_steps(platform, "open_joint_review", ("formal_check", "expert_review"), case)
    departments = case.pack.joint_review(kind.id, case.effective)
    rule = case.pack.review_rule(kind.id, case.effective)
    due = case.pack.add_working_days(case.effective, rule.due_working_days).date
    review = pb.JointReview(departments=departments, start_date=today(case), rule=rule.id)
    review.due_date.CopyFrom(from_date(due))
    review.round = platform.joint_review.round + 1
    platform.joint_review.CopyFrom(review)
    missing = [d for d in departments if d not in platform.concerned_departments]
    platform.concerned_departments.extend(missing)


def conclude_joint_review(
    platform: pb.Platform, command: pb.ConcludeJointReviewPlatformRequest, case: Case
) -> int:
    """Keep the departments' answers; a refusal ends the application, a silent one is asked again. Raises Invalid, NotFound."""
    review = platform.joint_review
    answered = [opinion.department for opinion in command.opinions]
    if sorted(answered) != sorted(review.departments):
        asked = ", ".join(review.departments)
        raise Invalid(
            f"answers of {', '.join(answered)}; give one answer each of {asked}",
            f"已有{'、'.join(answered)}的意见；须逐一填写下列部门的意见：{asked}",
            field="opinions",
            reason="OPINIONS_INCOMPLETE",
        )
    review.joint_review = command.joint_review
    del review.opinions[:]
    review.opinions.extend(command.opinions)
    against = [o for o in command.opinions if o.verdict == Opinion.VERDICT_DISAGREES]
    if not against and any(o.verdict == Opinion.VERDICT_SILENT for o in command.opinions):
        return _before_review(platform)
    review.conclusion_date.CopyFrom(today(case))
    why = "；".join(f"{o.department}：{o.opinion}" for o in against)[:1000]
    return _passed(platform, not against, S.STATE_JOINTLY_REVIEWED, why, case)


def _before_review(platform: pb.Platform) -> int:
    """Return where it stood before the departments were asked."""
    if platform.site_visits:
        return S.STATE_SITE_VISITED
    return S.STATE_EXPERT_REVIEWED if platform.expert_reviews else S.STATE_FORMALLY_CHECKED


def reject(platform: pb.Platform, command: pb.RejectPlatformRequest, case: Case) -> None:
    """End an application that the review, or an objection, speaks against."""
    set_end(platform, case, command.reason)


def publish_notice(
    platform: pb.Platform, command: pb.PublishNoticePlatformRequest, case: Case
) -> None:
    """Publish the notice; its last day follows from the pack's length. Raises Invalid, Refused."""
    kind = kind_of(platform, case)
    before = ("formal_check", "expert_review", "joint_review")
    demand_steps(platform, "publish_notice", before, case)
    start = day_after(command.start_date, case.effective - ONE_DAY, "start_date")
    length = case.pack.notices.get(kind.notice, start)
    working = length.unit == "working_days"
    end = case.pack.last_day(start, length.days, working=working)
    platform.public_notice.CopyFrom(
        pb.PublicNotice(
            start_date=command.start_date,
            end_date=from_date(end.date),
            days=length.days,
            working_days=working,
            provisional=end.provisional,
            document=command.document,
        )
    )


def record_objection(
    platform: pb.Platform, command: pb.RecordObjectionPlatformRequest, case: Case
) -> None:
    """Keep an objection that came within the notice. Raises Invalid."""
    notice = platform.public_notice
    day = day_of(command.receipt_date, "receipt_date", case)
    start, end = to_date(notice.start_date), to_date(notice.end_date)
    if start and end and not start <= day <= end:
        raise Invalid(
            f"{day} lies outside the notice; objections count from {start} to {end}",
            f"{day}不在公示期内；异议须在{start}至{end}提出",
            field="receipt_date",
            reason="OUTSIDE_NOTICE",
        )
    notice.objections.add(
        number=len(notice.objections) + 1,
        objector=command.objector,
        content=command.content,
        receipt_date=from_date(day),
    )


def resolve_objection(
    platform: pb.Platform, command: pb.ResolveObjectionPlatformRequest, case: Case
) -> None:
    """Decide an objection, once. Raises NotFound, Refused."""
    objection = _objection(platform, command.objection_number)
    if objection.resolved:
        raise Refused(
            f"objection {objection.number} was decided already; record a new objection",
            f"第{objection.number}号异议已作出处理；如有新情况请另行登记",
            reason="OBJECTION_RESOLVED",
        )
    objection.resolved, objection.upheld = True, command.upheld
    objection.resolution = command.resolution
    objection.resolution_date.CopyFrom(today(case))


def _objection(platform: pb.Platform, number: int) -> pb.Objection:
    for objection in platform.public_notice.objections:
        if objection.number == number:
            return objection
    count = len(platform.public_notice.objections)
    raise NotFound(
        f"no objection {number}; the notice has {count}",
        f"没有第{number}号异议；本次公示共有{count}件异议",
        field="objection_number",
    )
