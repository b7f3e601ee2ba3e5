"""What several of a platform's actions ask: its kind, its days, its steps, its links."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Invalid, Problem, Refused, Violated
from kernel.pack import Kind
from luoshu.platforms.v1 import platforms_pb2 as pb

S = pb.Platform.State
UNCLASSIFIED = "unclassified"

CANDIDATE = (
    S.STATE_ACCEPTED,
    S.STATE_FORMALLY_CHECKED,
    S.STATE_EXPERT_REVIEWED,
    S.STATE_SITE_VISITED,
    S.STATE_JOINTLY_REVIEWED,
)
"""Accepted and not yet in public notice, in the order of the review."""
ESTABLISHED = (
    S.STATE_RECOGNIZED,
    S.STATE_APPROVED,
    S.STATE_PUT_ON_FILE,
    S.STATE_UNDER_CONSTRUCTION,
    S.STATE_OPERATING,
    S.STATE_IN_RECTIFICATION,
)
"""Set up and not ended: these can be renamed, merged, revoked."""

STEPS_ZH = {
    "recommendation": "推荐",
    "formal_check": "形式审查",
    "expert_review": "专家评审",
    "joint_review": "会签",
    "public_notice": "公示",
}


def kind_of(platform: pb.Platform, case: Case) -> Kind:
    """Return the kind in force on the day of the change. Raises Invalid where the pack has none."""
    return case.pack.kind(platform.kind, case.effective, field="kind")


def all_at_once(problems: Sequence[Problem]) -> None:
    """Raises Invalid for one problem, Violated for several: a form is corrected in one go."""
    if len(problems) == 1:
        only = problems[0]
        raise Invalid(only.en, only.zh, field=only.field, reason=only.code)
    if problems:
        raise Violated(problems)


def check_score(hundredths: int, field: str) -> None:
    """Raises Invalid for a score of 1 point or less: whole points were given. 0: none was given."""
    if 0 < hundredths <= 100:
        raise Invalid(
            f"{hundredths} is {hundredths / 100:.2f} points, in hundredths; "
            f"for {hundredths} points give {hundredths * 100}",
            f"{hundredths} 表示 {hundredths / 100:.2f} 分（单位：百分之一分）；"
            f"{hundredths} 分请填写 {hundredths * 100}",
            field=field,
            reason="SCORE_IN_POINTS",
        )


def day_of(value: Any, field: str, case: Case) -> datetime.date:
    """Return the day said, else the day of the change. Raises Invalid for a day to come."""
    day = to_date(value, field) or case.effective
    if day > case.today:
        raise Invalid(
            f"{day} is in the future; the latest is {case.today}",
            f"{day}晚于今天；最晚为{case.today}",
            field=field,
            reason="DATE_IN_FUTURE",
        )
    return day


def day_after(value: Any, start: datetime.date, field: str) -> datetime.date:
    """Return the day said. Raises Invalid where it is not after `start`."""
    day = to_date(value, field)
    if day is None or day <= start:
        raise Invalid(
            f"{day or 'no day'} is not after {start}; give a later day",
            f"{day or '空日期'}不晚于{start}；请填写更晚的日期",
            field=field,
            reason="DATE_TOO_EARLY",
        )
    return day


def today(case: Case) -> Any:
    """Return the day of the change, as the wire has it."""
    return from_date(case.effective)


def skips(kind: Kind, step: str, case: Case) -> bool:
    """Tell whether the kind leaves the step out; a joint review needs departments to ask."""
    if step == "joint_review" and not case.pack.joint_review(kind.id, case.effective):
        return True
    return step in kind.skips


def demand_steps(platform: pb.Platform, action: str, steps: Iterable[str], case: Case) -> None:
    """Raises Refused, naming the steps that the kind demands and that were not taken."""
    kind = kind_of(platform, case)
    missing = [s for s in steps if not skips(kind, s, case) and not _taken(platform, s)]
    if not missing:
        return
    listed_zh = "、".join(STEPS_ZH[step] for step in missing)
    raise Refused(
        f"cannot {action}: {kind.en} demands {', '.join(missing)} first",
        f"不能执行 {action}：{kind.zh}须先完成{listed_zh}",
        reason="STEP_MISSING",
    )


def _taken(platform: pb.Platform, step: str) -> bool:
    """Tell whether a step was taken; after a nurture, what came before it does not count."""
    since = _on(platform.nurture.start_date)
    taken = {
        "recommendation": platform.state != S.STATE_SUBMITTED,
        "formal_check": platform.state != S.STATE_ACCEPTED,
        "expert_review": any(_on(r.review_date) > since for r in platform.expert_reviews),
        "joint_review": platform.joint_review.HasField("conclusion_date"),
        "public_notice": platform.HasField("public_notice"),
    }
    return taken[step]


def _on(value: Any) -> datetime.date:
    return to_date(value) or datetime.date.min


def link(platform: pb.Platform, successor: str, field: str, case: Case) -> None:
    """Make another platform a successor of this one, on both sides. Raises NotFound, Refused."""
    if successor == platform.name:
        raise Refused(
            f"{successor} cannot follow itself; name another platform",
            f"{successor}不能承接自身；请填写另一个平台",
            field=field,
            reason="LINK_TO_ITSELF",
        )
    other = case.change(successor)
    if other.state not in ESTABLISHED:
        _refuse_link(other, field)
    _add(platform.successors, successor)
    _add(other.predecessors, platform.name)


def link_history(platform: pb.Platform, case: Case) -> None:
    """Keep on both sides an imported row's links and those of earlier rows; on this side where no row told of the other."""
    known = case.known(platform.name)
    if known is None and not (platform.predecessors or platform.successors):
        return
    for mine, theirs in (("predecessors", "successors"), ("successors", "predecessors")):
        for name in getattr(known, mine, ()):
            _add(getattr(platform, mine), name)
        for name in getattr(platform, mine):
            other = case.known(name)
            if other is not None and platform.name not in getattr(other, theirs):
                _add(getattr(case.change(name), theirs), platform.name)


def _refuse_link(other: pb.Platform, field: str) -> NoReturn:
    state = S.Name(other.state)
    raise Refused(
        f"{other.name} is {state} and cannot follow; name a platform that is set up and not ended",
        f"{other.name}当前状态为 {state}，不能承接；请填写已设立且未终止的平台",
        field=field,
        reason="SUCCESSOR_NOT_ESTABLISHED",
    )


def _add(names: Any, name: str) -> None:
    if name not in names:
        names.append(name)


def set_end(platform: pb.Platform, case: Case, reason: str = "", document: str = "") -> None:
    """Write down how and when it ended."""
    platform.end.reason, platform.end.document_number = reason, document
    platform.end.end_date.CopyFrom(today(case))
