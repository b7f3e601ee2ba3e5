"""What each rule of eligibility looks at, and what it finds. Pure: facts come through the case."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kernel.case import Case
from kernel.dates import iso, to_date
from kernel.errors import NotFound
from kernel.pack import EligibilityRule
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import AWARDED, GONE, UNFINISHED, A, C, H, S

Facts = tuple[tuple[str, str], ...]
INVESTIGATOR = ("the principal investigator", "项目负责人")


class Stage(StrEnum):
    """When an application is held to the rules."""

    SUBMISSION = "submission"
    APPROVAL = "approval"
    PAYMENT = "payment"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Matter:
    """What is asked about. `days`: on each of them the rules have to hold; the last one is the newest."""

    application: pb.Application
    case: Case
    days: tuple[datetime.date, ...]

    @property
    def investigator(self) -> str:
        """The pseudonym; empty where nobody is named."""
        return self.case.subject(self.application.principal_investigator)

    @property
    def call(self) -> pb.Call | None:
        return self.case.get(self.application.call) if self.application.call else None

    def level(self, application: pb.Application) -> str:
        """Return the level of an award's money; provincial where its programme cannot be seen."""
        sources = self.case.pack.funding_sources
        source = application.funding_source or self._own_source(application.programme)
        return sources.get(source, self.days[-1]).level if source in sources else "unknown"

    def _own_source(self, programme: str) -> str:
        if not programme:
            return ""
        try:
            return str(self.case.get(programme).funding_source)
        except NotFound:
            return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says. `passed`: None where it asks nothing here. `code`, `field`: of the refusal."""

    passed: bool | None
    en: str
    zh: str
    facts: Facts = ()
    code: str = "NOT_ELIGIBLE"
    field: str = ""


def completes(application: pb.Application, today: datetime.date) -> bool:
    """Tell whether its days to complete are not over: then the window does not matter."""
    last = to_date(application.completion.complete_by)
    return last is not None and today <= last


def window(rule: EligibilityRule, matter: Matter) -> Verdict:
    """From the first to the end of the last local day, while the call is published."""
    call, application = matter.call, matter.application
    if call is None:
        return _no_call()
    facts = (
        ("call", call.name),
        ("state", C.Name(call.state)),
        ("open_date", iso(call.open_date)),
        ("close_date", iso(call.close_date)),
    )
    first, last = iso(call.open_date), iso(call.close_date)
    if completes(application, matter.days[-1]):
        until = iso(application.completion.complete_by)
        en = f"it may be completed until {until}, whatever the window"
        return Verdict(None, en, f"补正期限至{until}，不受申报期限制", facts)
    open_ = call.state == C.STATE_PUBLISHED
    if open_ and all(first <= day.isoformat() <= last for day in matter.days):
        return Verdict(True, f"the window is {first} to {last}", f"申报期为{first}至{last}", facts)
    return Verdict(
        False,
        f"{call.name} is {C.Name(call.state)} on {matter.days[-1]}; it takes applications {first} to {last}",
        f"{call.name} 在{matter.days[-1]}不接受申报：状态 {C.Name(call.state)}，申报期为{first}至{last}",
        facts,
        "CALL_NOT_OPEN",
    )


def consortium(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The applicant counts."""
    call, size = matter.call, 1 + len(matter.application.consortium)
    if call is None:
        return _no_call()
    least, most = max(call.consortium_min, 1), call.consortium_max
    bounds = f"{least}–{most or '…'}"
    facts = (("units", str(size)), ("least", str(least)), ("most", str(most or "")))
    en, zh = (
        f"{size} units apply together; the call wants {bounds}",
        f"联合体共{size}家单位；指南要求{bounds}家",
    )
    passed = least <= size <= (most or size)
    return Verdict(passed, en, zh, facts, "CONSORTIUM_SIZE", "consortium")


def recommending_units(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The same investigator does not come to the same call by several recommending units."""
    application, own = matter.application, matter.application.recommending_unit
    if not (own and application.call and matter.investigator):
        return Verdict(
            None,
            "no recommending unit or investigator is named yet",
            "尚未填写推荐单位或项目负责人",
        )
    where = {"principal_investigator.subject": matter.investigator, "call": application.call}
    others = [o for o in matter.case.find("applications", where) if o.state not in GONE]
    units = sorted({own, *(o.recommending_unit for o in others)} - {""})
    facts = tuple(("recommending_unit", unit) for unit in units)
    if len(units) <= rule.value:
        return Verdict(True, f"recommended by {own} alone", f"仅由{own}推荐", facts)
    listed = ", ".join(units)
    return Verdict(
        False,
        f"{INVESTIGATOR[0]} comes to this call by {len(units)} recommending units: {listed}; at most {rule.value}",
        f"{INVESTIGATOR[1]}经{len(units)}个推荐单位（{listed}）申报同一指南；最多{rule.value}个",
        facts,
        "RECOMMENDING_UNITS",
        "recommending_unit",
    )


def investigator_awards(rule: EligibilityRule, matter: Matter) -> Verdict:
    """Awards of the year count in the order of their approval, whatever became of them."""
    if not matter.investigator:
        return _nobody()
    application = matter.application
    where: dict[str, str | int] = {
        "principal_investigator.subject": matter.investigator,
        "year": application.year,
    }
    awards = [o for o in matter.case.find("applications", where) if o.state in AWARDED]
    counted = [a for a in awards if not rule.levels or matter.level(a) in rule.levels]
    counted.sort(key=lambda a: (iso(a.approval.date), a.approval.award_number, a.name))
    facts = (("year", str(application.year)), *(("award", award.name) for award in counted))
    if len(counted) < rule.value:
        return Verdict(
            True,
            f"{len(counted)} award(s) of {application.year} so far; at most {rule.value}",
            f"{application.year}年度已获{len(counted)}项；最多{rule.value}项",
            facts,
        )
    names = ", ".join(award.name for award in counted)
    return Verdict(
        False,
        f"{INVESTIGATOR[0]} has {len(counted)} award(s) for {application.year}, the most: {names}",
        f"{INVESTIGATOR[1]}{application.year}年度已获{len(counted)}个省级项目，已达上限：{names}",
        facts,
        "INVESTIGATOR_LIMIT",
        "principal_investigator",
    )


def overdue(rule: EligibilityRule, matter: Matter) -> Verdict:
    """A project is overdue on the day after its last one, while its acceptance is not asked for."""
    if not matter.investigator:
        return _nobody()
    own = {project.name: project for project in _projects(rule, matter)}
    late = sorted(
        (project.name, iso(project.end_date))
        for project in own.values()
        if project.state in UNFINISHED
        and project.end_date.year
        and iso(project.end_date) < matter.days[-1].isoformat()
    )
    facts = tuple(fact for name, end in late for fact in (("project", name), ("end_date", end)))
    if not late:
        return Verdict(True, "no project is overdue", "无逾期未结题项目")
    en = "; ".join(f"{name} was due on {end}" for name, end in late)
    zh = "；".join(f"{name} 应于{end}完成" for name, end in late)
    return Verdict(
        False,
        f"an overdue project blocks: {en}",
        f"有逾期未结题项目：{zh}",
        facts,
        "OVERDUE_PROJECT",
    )


def _projects(rule: EligibilityRule, matter: Matter) -> Iterator[pb.Application]:
    if "investigator" in rule.parties:
        yield from matter.case.find(
            "applications", {"principal_investigator.subject": matter.investigator}
        )
    if "applicant" in rule.parties:
        code = matter.application.applicant_unit.code
        yield from matter.case.find("applications", {"applicant_unit.code": code})


def sanctions(rule: EligibilityRule, matter: Matter) -> Verdict:
    """A sanction holds from its first to the end of its last day."""
    found = {s.name: (who, s) for who, s in _sanctions(rule, matter) if _holds(s, matter.days)}
    facts = tuple(
        fact
        for name, (_, sanction) in sorted(found.items())
        for fact in (
            ("sanction", name),
            ("document_number", sanction.document_number),
            ("from_date", iso(sanction.from_date)),
            ("to_date", iso(sanction.to_date)),
        )
    )
    if not found:
        days = ", ".join(day.isoformat() for day in matter.days)
        return Verdict(True, f"nobody is under a sanction on {days}", f"{days}无处罚在期")
    told = [
        (who, s.document_number, iso(s.from_date), iso(s.to_date) or "…")
        for who, s in found.values()
    ]
    en = "; ".join(
        f"{who[0]} is under a sanction from {a} to {b} ({number})" for who, number, a, b in told
    )
    zh = "；".join(f"{who[1]}自{a}至{b}在处罚期内（{number}）" for who, number, a, b in told)
    return Verdict(False, en, zh, facts, "SANCTIONED")


def _sanctions(rule: EligibilityRule, matter: Matter) -> Iterator[tuple[tuple[str, str], Any]]:
    application, find = matter.application, matter.case.find
    if "investigator" in rule.parties and matter.investigator:
        for sanction in find("sanctions", {"person.subject": matter.investigator}):
            yield INVESTIGATOR, sanction
    units = [application.applicant_unit] if "applicant" in rule.parties else []
    units += application.consortium if "members" in rule.parties else []
    for unit in units:
        for sanction in find("sanctions", {"unit.code": unit.code}) if unit.code else ():
            yield (unit.name, unit.name), sanction


def _holds(sanction: pb.Sanction, days: Sequence[datetime.date]) -> bool:
    first, last = iso(sanction.from_date), iso(sanction.to_date) or "9999"
    in_force = sanction.state in (S.STATE_IMPOSED, S.STATE_LIFTED)
    return in_force and any(first <= day.isoformat() <= last for day in days)


def findings_decided(rule: EligibilityRule, matter: Matter) -> Verdict:
    """A pair that is alike is looked at by a person before the award."""
    open_ = [hold for hold in _holds_on(matter) if hold.state == H.STATE_OPEN]
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


def no_duplicate(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The same work is not paid twice: the later one of a pair that a person found to be one work is not awarded."""
    decided = [hold for hold in _holds_on(matter) if hold.state != H.STATE_OPEN]
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


def _holds_on(matter: Matter) -> list[pb.Hold]:
    found = matter.case.find("holds", {"application": matter.application.name})
    return sorted(found, key=lambda hold: hold.name)


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


def _no_call() -> Verdict:
    return Verdict(None, "the row has no call here", "该项目在本系统没有对应的指南")


def _nobody() -> Verdict:
    return Verdict(None, "no principal investigator is named", "未填写项目负责人")


CHECKS: Mapping[str, Callable[[EligibilityRule, Matter], Verdict]] = {
    "investigator_awards": investigator_awards,
    "overdue": overdue,
    "recommending_units": recommending_units,
    "window": window,
    "consortium": consortium,
    "sanctions": sanctions,
    "findings_decided": findings_decided,
    "no_duplicate": no_duplicate,
    "conditions_met": conditions_met,
}
"""What the pack's rules may look at."""
NEXT = {
    A.STATE_DRAFT: Stage.SUBMISSION,
    A.STATE_RETURNED: Stage.SUBMISSION,
    A.STATE_CONTRACTED: Stage.PAYMENT,
    A.STATE_IN_PROGRESS: Stage.PAYMENT,
    A.STATE_COMPLETED: Stage.PAYMENT,
    A.STATE_EVALUATED: Stage.PAYMENT,
}
"""The stage that comes next; in every other state: the approval."""
