"""Setting a rule of eligibility aside for one application: one person asks, another decides, and it stays on record."""

from kernel.case import Case
from kernel.errors import Denied, Invalid, NotFound, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import change
from services.funding.checks import Stage
from services.funding.eligibility import STAGES, Found, explain
from services.funding.rules import effective_day, room

MOST_OVERRIDES = 20


def request_override(
    application: pb.Application, command: pb.RequestOverrideApplicationRequest, case: Case
) -> None:
    """Ask that a rule be set aside for the facts that break it now, or that the change would. Raises NotFound, Refused."""
    room(application.overrides, MOST_OVERRIDES, "overrides", "例外")
    asked_of = change.proposed(application, command)
    explained = explain(asked_of, _stage(command.stage), case)
    found = next((each for each in explained if each.rule.id == command.rule), None)
    if found is None:
        raise case.pack.eligibility.unknown(command.rule, "rule")
    if not (found.fails and found.rule.overridable):
        _refuse_override(found)
    override = application.overrides.add(
        number=len(application.overrides) + 1,
        rule=command.rule,
        stage=command.stage,
        reason=command.reason,
        requested_by=case.caller.actor,
        request_date=effective_day(case),
    )
    override.facts.extend(pb.Fact(key=key, value=value) for key, value in found.verdict.facts)


def _stage(wire: "pb.EligibilityStage.ValueType") -> Stage:
    """Raises Invalid: no stage is said."""
    for stage, said in STAGES.items():
        if said == wire:
            return stage
    stages = ", ".join(pb.EligibilityStage.Name(said) for said in STAGES.values())
    raise Invalid(
        f"stage: say at which stage; there are: {stages}",
        f"stage：请注明环节；可选：{stages}",
        field="stage",
    )


def _refuse_override(found: Found) -> None:
    if found.fails:
        raise Refused(
            f"{found.rule.id} cannot be set aside: {found.verdict.en}",
            f"规则“{found.rule.zh}”不得例外：{found.verdict.zh}",
            field="rule",
            reason="NOT_OVERRIDABLE",
        )
    raise Refused(
        f"{found.rule.id} does not fail here, so there is nothing to set aside: {found.verdict.en}",
        f"规则“{found.rule.zh}”未违反，无须例外：{found.verdict.zh}",
        field="rule",
        reason="RULE_HOLDS",
    )


def decide_override(
    application: pb.Application, command: pb.DecideOverrideApplicationRequest, case: Case
) -> None:
    """Grant or decline it. Raises NotFound, Refused once it is decided, Denied to whoever asked."""
    override = next((o for o in application.overrides if o.number == command.number), None)
    if override is None:
        raise NotFound(
            f"there is no override {command.number}; there are {len(application.overrides)}",
            f"没有第{command.number}号例外；共{len(application.overrides)}项",
            field="number",
        )
    if override.decided_by:
        raise Refused(
            f"override {override.number} is decided; ask for another one",
            f"第{override.number}号例外已决定；如需更改请重新提出",
            field="number",
            reason="OVERRIDE_DECIDED",
        )
    if case.caller.actor == override.requested_by:
        raise Denied(
            "an override needs a second person: another account than the one that asked",
            "例外须由提出人以外的账号决定（四眼原则）",
            reason="FOUR_EYES",
        )
    override.granted, override.decided_by = command.granted, case.caller.actor
    override.decision_reason = command.reason
    override.decide_date.CopyFrom(effective_day(case))


def set_aside(
    application: pb.Application, command: pb.DecideOverrideApplicationRequest
) -> dict[str, str]:
    """Return what a decision set aside, and who had asked for it; nothing where it was declined."""
    if not command.granted:
        return {}
    override = next(o for o in application.overrides if o.number == command.number)
    stage = pb.EligibilityStage.Name(override.stage)
    return {"rule": override.rule, "stage": stage, "requested_by": override.requested_by}
