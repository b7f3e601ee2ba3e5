"""`luoshu duplicates`: what an application may be a duplicate of, side by side, and what a department makes of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from app.cli.actions import action_command
from app.cli.failures import Failure
from app.cli.files import text_of
from app.cli.output import amount, choice, indented, one_line, table
from app.cli.session import Command, session
from luoshu.coordination.v1 import findings_pb2 as pb

ACTIONS = {"dispose": "dispose"}
OPEN = "state = STATE_OPEN"
HEADINGS = (
    "finding",
    "state 状态",
    "basis 依据",
    "score‰ 得分",
    "application 申报",
    "other 对方",
    "lead 牵头",
    "disposition 认定",
)
RAISED, NOT_RAISED = "! a finding · 达到阈值，须认定", "below the threshold · 未达阈值"
SIGNS = "= with a passage copied word for word · 含照抄段落   ~ alike · 相近"
PERCENT = 10
"""Permille in a percent."""


class Duplicates(click.Group):
    """`dispose` is the lifecycle's own action."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ACTIONS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        return own or (action_command(ACTIONS[cmd_name]) if cmd_name in ACTIONS else None)


@click.group("duplicates", cls=Duplicates)
def duplicates() -> None:
    """Duplicates: check an application, list, show and dispose findings. 查重：核对、列出、查看与认定。"""


@duplicates.command("check", cls=Command)
@click.argument("application", required=False, default="")
@click.option("--title", default="", help="Title of an application that is not registered yet.")
@click.option("--abstract", default="", help="Its abstract.")
@click.option(
    "--abstract-file", type=click.Path(exists=True, dir_okay=False), help="A text file with it."
)
@click.option("--unit", default="", help="Credit code of the unit that would apply.")
@click.pass_context
def check(
    ctx: click.Context,
    application: str,
    title: str,
    abstract: str,
    abstract_file: str | None,
    unit: str,
) -> None:
    """Explain what an application may be a duplicate of, before it is submitted or after. Decides nothing."""
    if abstract_file:
        abstract = text_of(Path(abstract_file))
    request = pb.CheckDuplicatesRequest(
        application=_named("applications", application) if application else "",
        title=title,
        abstract=abstract,
        unit=unit,
    )
    answer = session(ctx).client.coordination.CheckDuplicates(request)
    if session(ctx).output == "json":
        click.echo(indented(answer))
        return
    _tell_check(answer)


@duplicates.command("list", cls=Command)
@click.option("--all", "all_", is_flag=True, help="Decided and lapsed ones too.")
@click.option("--about", default="", help="Only those about one application.")
@click.pass_context
def list_(ctx: click.Context, all_: bool, about: str) -> None:
    """List findings that your department is concerned with; the open ones, unless --all."""
    parts = [] if all_ else [OPEN]
    if about:
        name = _named("applications", about)
        parts.append(f'(application = "{name}" OR other = "{name}")')
    request = pb.ListFindingsRequest(filter=" AND ".join(parts), order_by="create_time desc, name")
    found = session(ctx).client.coordination.ListFindings(request)
    if session(ctx).output == "json":
        click.echo(indented(found))
    elif found.findings:
        table(HEADINGS, [_row(finding) for finding in found.findings])
    else:
        click.echo("no findings · 没有查重提示", err=True)


@duplicates.command("show", cls=Command)
@click.argument("name")
@click.pass_context
def show(ctx: click.Context, name: str) -> None:
    """Show a finding side by side: the score of each part, and the sentences that say the same."""
    request = pb.GetFindingRequest(name=_named("findings", name))
    found = session(ctx).client.coordination.GetFinding(request)
    if session(ctx).output == "json":
        click.echo(indented(found))
        return
    said = [found.name, _choice(found, "state"), f"round · 轮次 {found.round}"]
    click.echo("  ".join(said + ([found.review] if found.review else [])))
    click.echo(f"{found.lead_department}  {found.application}  {found.title}")
    for line in _side_by_side(found.candidate):
        click.echo(line)
    if found.disposition:
        decided = f"{found.decided_by} ({found.deciding_department})"
        click.echo(f"\n{_choice(found, 'disposition')}: {found.reason}  — {decided}")
    if found.allowed_actions:
        click.echo(f"\nallowed · 可执行: {', '.join(found.allowed_actions)}")


def _tell_check(answer: Any) -> None:
    for candidate in answer.candidates:
        for line in _side_by_side(candidate):
            click.echo(line)
        click.echo()
    if not answer.candidates:
        click.echo("nothing alike · 没有相似的申报")
    click.echo(f"searched · 比对 {answer.documents}", err=True)
    if answer.own_only:
        click.echo("only your own unit's applications · 仅比对本单位的申报", err=True)
    if answer.cross_language == pb.CROSS_LANGUAGE_NOT_INSTALLED:
        click.echo("texts of another language were not compared · 未比对其他语言的文本", err=True)


def _side_by_side(candidate: Any) -> Iterator[str]:
    scored = f"{_percent(candidate.score)} (≥ {_percent(candidate.threshold)})"
    yield f"{'!' if candidate.raised else ' '} {candidate.department}  {candidate.application}  {candidate.title}"
    yield f"  {_choice(candidate, 'basis')}  {scored}  {RAISED if candidate.raised else NOT_RAISED}"
    yield "  " + "  ".join(_parts(candidate.parts))
    if candidate.HasField("continuation"):
        yield f"  {_continuation(candidate.continuation)}"
    if candidate.evidence:
        yield f"  {SIGNS}"
    for evidence in candidate.evidence:
        copied = "=" if evidence.copied else "~"
        yield f"    {copied} {_percent(evidence.share):>4} │ {one_line(evidence.quote)}"
        yield f"           │ {one_line(evidence.other_quote)}"


def _parts(parts: Iterable[Any]) -> Iterator[str]:
    for part in parts:
        shared = f" ({', '.join(_shared(part))})" if part.shared else ""
        yield f"{_choice(part, 'kind').lower()} {_percent(part.score)}{shared}"


def _shared(part: Any) -> Iterator[str]:
    """Yield what both sides have; of a budget's line the amount as people read it."""
    for text in part.shared:
        kind, _, fen = text.rpartition(" ")
        money = part.kind == pb.Part.KIND_BUDGET and fen.isdecimal()
        yield f"{kind} {amount(int(fen))}" if money else text


def _continuation(said: Any) -> str:
    if said.holds:
        return f"continues · 延续 {said.predecessor}"
    return f"declares · 填报在先项目 {said.predecessor}, but · 但: {said.text_en} / {said.text_zh}"


def _row(finding: Any) -> list[str]:
    return [
        finding.name.removeprefix("findings/"),
        _choice(finding, "state"),
        _choice(finding.candidate, "basis"),
        str(finding.candidate.score),
        finding.application,
        finding.other,
        finding.lead_department,
        _choice(finding, "disposition") if finding.disposition else "",
    ]


def _choice(record: Any, field: str) -> str:
    return choice(record.DESCRIPTOR.fields_by_name[field], getattr(record, field))


def _percent(permille: int) -> str:
    return f"{permille // PERCENT}%"


def _named(collection: str, name: str) -> str:
    """Return the whole name. Raises Failure: it is of another kind."""
    if "/" not in name:
        return f"{collection}/{name}"
    if not name.startswith(f"{collection}/"):
        raise Failure(f"{name!r} is none of {collection}", f"{name!r} 不属于 {collection}")
    return name
