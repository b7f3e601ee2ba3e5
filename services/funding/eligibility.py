"""Whether an application may be submitted, awarded, paid or changed, and why: the pack's rules, and what set one aside."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import Refused
from kernel.pack import EligibilityRule
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.checks import CHECKS, Facts, Matter, Stage, Verdict

Outcome = pb.RuleOutcome
STAGES = {
    Stage.SUBMISSION: pb.ELIGIBILITY_STAGE_SUBMISSION,
    Stage.APPROVAL: pb.ELIGIBILITY_STAGE_APPROVAL,
    Stage.PAYMENT: pb.ELIGIBILITY_STAGE_PAYMENT,
    Stage.CHANGE: pb.ELIGIBILITY_STAGE_CHANGE,
}
WHEN = {
    Stage.SUBMISSION: ("at submission", "申报时"),
    Stage.APPROVAL: ("at approval", "立项时"),
    Stage.PAYMENT: ("at each payment", "每次拨款时"),
    Stage.CHANGE: ("when a person or unit changes", "变更人员或单位时"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A rule and what it says. `override`: the number of what sets it aside, else 0."""

    rule: EligibilityRule
    verdict: Verdict
    override: int = 0

    @property
    def outcome(self) -> pb.RuleOutcome.ValueType:
        if self.verdict.passed is None:
            return pb.RULE_OUTCOME_NOT_APPLICABLE
        if self.verdict.passed:
            return pb.RULE_OUTCOME_PASSED
        return pb.RULE_OUTCOME_OVERRIDDEN if self.override else pb.RULE_OUTCOME_FAILED

    @property
    def fails(self) -> bool:
        return self.outcome == pb.RULE_OUTCOME_FAILED


def demand(
    application: pb.Application, stage: Stage, case: Case, *, day: datetime.date | None = None
) -> None:
    """Raises Refused for the first rule that fails, saying how many more do."""
    failing = [found for found in explain(application, stage, case, day=day) if found.fails]
    if not failing:
        return
    first, more = failing[0].verdict, len(failing) - 1
    rule, on = failing[0].rule, day or case.today
    raise Refused(
        f"{rule.id} on {on}: {first.en}"
        + (f"; {more} more rule(s) fail: see CheckEligibility" if more else ""),
        f"{on}不符合“{rule.zh}”：{first.zh}"
        + (f"；另有{more}条规则不符：见资格核查（CheckEligibility）" if more else ""),
        field=first.field,
        reason=first.code,
    )


def explain(
    application: pb.Application, stage: Stage, case: Case, *, day: datetime.date | None = None
) -> Iterator[Found]:
    """Yield what every rule of the pack says at a stage; on a day, else on those that the stage looks at."""
    days = (day,) if day else _days(stage, case)
    matter = Matter(application, case, days)
    for newest in case.pack.eligibility:
        versions = case.pack.eligibility.history(newest.id)
        rule = next((version for version in versions if version.holds(days[0])), None)
        if rule is None:
            yield Found(newest, _not_in_force(newest, days[0]))
        else:
            yield _held_to(rule, stage, matter)


def _days(stage: Stage, case: Case) -> tuple[datetime.date, ...]:
    """A submission is of today; what may be dated back has to hold on that day and today."""
    if stage == Stage.SUBMISSION:
        return (case.today,)
    return tuple(sorted({case.effective, case.today}))


def _held_to(rule: EligibilityRule, stage: Stage, matter: Matter) -> Found:
    if stage not in rule.stages:
        whens = [WHEN[Stage(s)] for s in rule.stages]
        en, zh = (" and ".join(w[0] for w in whens), "、".join(w[1] for w in whens))
        return Found(rule, Verdict(None, f"it is asked {en}", f"在{zh}核查"))
    level = matter.level(matter.application) if rule.levels else ""
    if rule.levels and level not in rule.levels:
        facts: Facts = (("level", level),)
        return Found(rule, Verdict(None, f"the money is {level}", f"资金级别为{level}", facts))
    verdict = CHECKS[rule.check](rule, matter)
    return Found(rule, verdict, _set_aside(rule, stage, matter.application, verdict))


def _not_in_force(rule: EligibilityRule, day: datetime.date) -> Verdict:
    return Verdict(None, f"it is not in force on {day}", f"{day}不在有效期内")


def _set_aside(
    rule: EligibilityRule, stage: Stage, application: pb.Application, verdict: Verdict
) -> int:
    """Return the number of the override that was granted for exactly these facts; 0: none."""
    if verdict.passed is not False or not rule.overridable:
        return 0
    for override in application.overrides:
        same = (override.rule, override.stage) == (rule.id, STAGES[stage])
        facts = tuple((fact.key, fact.value) for fact in override.facts)
        if same and override.granted and facts == verdict.facts:
            return override.number
    return 0


def told(found: Found) -> pb.Finding:
    """Return a finding as the wire has it."""
    rule, verdict = found.rule, found.verdict
    finding = pb.Finding(
        rule=rule.id,
        title_zh=rule.zh,
        title_en=rule.en,
        source=rule.source,
        outcome=found.outcome,
        text_zh=verdict.zh,
        text_en=verdict.en,
        facts=[pb.Fact(key=key, value=value) for key, value in verdict.facts],
        overridable=rule.overridable,
        override_number=found.override,
    )
    if rule.valid_from:
        finding.valid_from.CopyFrom(from_date(rule.valid_from))
    if rule.valid_to:
        finding.valid_to.CopyFrom(from_date(rule.valid_to))
    return finding
