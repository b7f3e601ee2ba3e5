"""`luoshu eligibility`: what every rule says of an application, with the facts that it used."""

import click

from app.cli.names import OWN_NAMES
from app.cli.output import day, indented, table, titled
from app.cli.session import Command, session
from luoshu.funding.v1 import funding_pb2 as pb

STAGES = {
    "submission": pb.ELIGIBILITY_STAGE_SUBMISSION,
    "approval": pb.ELIGIBILITY_STAGE_APPROVAL,
    "payment": pb.ELIGIBILITY_STAGE_PAYMENT,
    "change": pb.ELIGIBILITY_STAGE_CHANGE,
}
OUTCOMES = {
    pb.RULE_OUTCOME_PASSED: {"zh": "符合", "en": "passed"},
    pb.RULE_OUTCOME_FAILED: {"zh": "不符合", "en": "failed"},
    pb.RULE_OUTCOME_NOT_APPLICABLE: {"zh": "不适用", "en": "not applicable"},
    pb.RULE_OUTCOME_OVERRIDDEN: {"zh": "例外", "en": "overridden"},
}
HEADINGS = {
    "zh": ("规则", "结论", "说明", "所据事实", "依据"),
    "en": ("rule", "outcome", "why", "facts", "source"),
}
REVIEWED = {
    "JOINT_REVIEW_OUTCOME_UNSPECIFIED": "尚无结论",
    **OWN_NAMES["luoshu.funding.v1.JointReviewOutcome"],
}
STAGE_NAMES = {"submission": "申报", "approval": "立项", "payment": "拨付", "change": "变更"}


@click.command(cls=Command)
@click.argument("name")
@click.option("--stage", type=click.Choice([*STAGES]), help="The one that comes next otherwise.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh")
@click.pass_context
def eligibility(ctx: click.Context, name: str, stage: str | None, language: str) -> None:
    """Explain every rule of eligibility for the application NAME.

    逐条说明申报资格规则：符合、不符合或不适用，及所依据的事实。
    """
    asked = pb.CheckEligibilityRequest(name=name)
    if stage:
        asked.stage = STAGES[stage]
    found = session(ctx).client.funding.CheckEligibility(asked)
    if session(ctx).output == "json":
        click.echo(indented(found))
        return
    at = next((key for key, wire in STAGES.items() if wire == found.stage), "")
    said = STAGE_NAMES.get(at, at) if language == "zh" else at
    click.echo(f"{found.application}  {said}  {day(found.date)}")
    table(
        HEADINGS[language],
        [
            (
                titled("eligibility", f.rule, language),
                OUTCOMES[f.outcome][language],
                getattr(f, f"text_{language}"),
                _facts(f, language),
                titled("documents", f.source, language),
            )
            for f in found.findings
        ],
    )


def _facts(finding: pb.Finding, language: str) -> str:
    names = REVIEWED if language == "zh" else {}
    return ", ".join(f"{fact.key}={names.get(fact.value, fact.value)}" for fact in finding.facts)
