"""What others have said: findings of duplicates, conditions of a joint review, departments' answers."""

from collections.abc import Sequence

from kernel.dates import iso
from kernel.pack import EligibilityRule
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.checks.matter import Facts, Matter, Verdict
from services.funding.hold import holds_on
from services.funding.joint_review import waits
from services.funding.rules import H


def findings_decided(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The present text is compared with all others, and a pair that is alike is looked at by a person, before the award."""
    if _waits_for_comparison(matter.application):
        return _not_compared(matter.application)
    open_ = [
        hold for hold in holds_on(matter.application, matter.case) if hold.state == H.STATE_OPEN
    ]
    facts = _told_holds(open_)
    if not open_:
        return Verdict(
            True, "no duplicate finding waits for a decision", "无待认定的查重发现", facts
        )
    names = ", ".join(hold.finding for hold in open_)
    others = ", ".join(hold.other for hold in open_)
    return Verdict(
        False,
        f"{names} (with {others}) is not decided; dispose of it first: luoshu duplicates dispose",
        f"{names}（与 {others}）尚未认定；请先认定（luoshu duplicates dispose）",
        facts,
        "FINDING_OPEN",
    )


def _waits_for_comparison(application: pb.Application) -> bool:
    """Where departments were asked, their answer comes after the comparison: coordination does one after the other."""
    check, asked = application.duplicate_check, application.joint_review.asked_revision
    return bool(check.basis_revision) and not (asked or check.compared_revision)


def _not_compared(application: pb.Application) -> Verdict:
    return Verdict(
        False,
        "it is not compared with all other applications yet; this happens by itself once its notice is over: wait",
        "尚未完成与其他申报的比对；公示期满后由系统自动完成，请稍候",
        (("checked_revision", str(application.duplicate_check.basis_revision)),),
        "NOT_COMPARED",
        "duplicate_check",
    )


def no_duplicate(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The same work is not paid twice: the later one of a pair that a person found to be one work is not awarded."""
    decided = [
        hold for hold in holds_on(matter.application, matter.case) if hold.state != H.STATE_OPEN
    ]
    standing = [hold for hold in decided if hold.state == H.STATE_STANDING]
    facts = _told_holds(standing or decided)
    if not standing:
        return Verdict(True, "nobody found it to be a duplicate", "未认定为重复立项", facts)
    others = ", ".join(hold.other for hold in standing)
    return Verdict(
        False,
        f"found to be a duplicate of {others}; two persons may set it aside",
        f"已认定与 {others} 重复；如需例外须经两人办理",
        facts,
        "DUPLICATE",
    )


def _told_holds(holds: Sequence[pb.Hold]) -> Facts:
    return tuple(
        fact
        for hold in holds
        for fact in (
            ("finding", hold.finding),
            ("other", hold.other),
            ("round", str(hold.round)),
            ("disposition", hold.disposition),
            ("decided_by", hold.deciding_department),
            ("decide_date", iso(hold.decide_date)),
        )
        if fact[1]
    )


def conditions_met(rule: EligibilityRule, matter: Matter) -> Verdict:
    """What a department made its consent hang on is met before money flows."""
    conditions = matter.application.joint_review.owed_conditions
    owed = [condition for condition in conditions if not condition.HasField("done_date")]
    if not conditions:
        return Verdict(None, "the departments set no condition", "会签未附条件")
    facts = tuple(
        fact
        for condition in owed
        for fact in (
            ("review", matter.application.joint_review.review),
            ("condition", str(condition.number)),
            ("department", condition.department),
            ("due_date", iso(condition.due_date)),
        )
        if fact[1]
    )
    if not owed:
        return Verdict(
            True, f"{len(conditions)} condition(s) met", f"{len(conditions)}项条件均已落实"
        )
    en = "; ".join(f"condition {c.number} of {c.department}: {c.text}" for c in owed)
    zh = "；".join(f"{c.department} 第{c.number}项条件：{c.text}" for c in owed)
    return Verdict(
        False, f"not met: {en}", f"会签条件未落实：{zh}", facts, "CONDITION_UNMET", "joint_review"
    )


def departments_agreed(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The departments have agreed to the newest revision that was put to them, or are deemed to."""
    review = matter.application.joint_review
    if not review.asked_revision:
        return Verdict(None, "no other department was asked", "未征求其他部门意见")
    facts = (
        ("asked_revision", str(review.asked_revision)),
        ("judged_revision", str(review.judged_revision)),
        ("outcome", pb.JointReviewOutcome.Name(review.outcome)),
    )
    if waits(matter.application):
        return Verdict(
            False,
            f"the departments are asked about revision {review.asked_revision}; wait for their answer, or take the change back",
            f"正就第{review.asked_revision}版征求部门意见；请待其答复，或撤回变更",
            facts,
            "REVIEW_OPEN",
            "joint_review",
        )
    if review.outcome == pb.JOINT_REVIEW_OUTCOME_AGREED:
        return Verdict(True, "the departments agree", "各部门同意", facts)
    objects = review.outcome == pb.JOINT_REVIEW_OUTCOME_OBJECTED
    en, zh = (
        ("a department objected", "有部门不同意")
        if objects
        else ("a department did not answer", "有部门未答复")
    )
    return Verdict(
        False,
        f"{en}; take the change back, change it again, ask_again, or terminate",
        f"{zh}；请撤回变更、重新变更、再次征求意见（ask_again），或终止项目",
        facts,
        "CHANGE_OBJECTED" if objects else "CHANGE_UNANSWERED",
        "joint_review",
    )
