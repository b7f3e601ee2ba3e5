"""`luoshu privacy`: whom a registry knows, who is due for erasure, erasing, holding, and what is kept how long."""

import contextlib
import sys
from typing import Any

import click

from app.cli.failures import Failure
from app.cli.output import as_json, day, moment, table
from app.cli.session import GLOBAL_OPTIONS, Command, Session, session
from luoshu.client import NotFound, iterate
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.privacy.v1 import privacy_pb2 as pb

SERVICES = ("platforms", "technologies", "funding", "coordination")
STATES = {
    "UNKNOWN": {"en": "unknown", "zh": "无此人员"},
    "HELD": {"en": "held", "zh": "在册"},
    "ERASURE_REQUESTED": {"en": "waits for the second person", "zh": "待第二人办理"},
    "ERASED": {"en": "erased", "zh": "已删除"},
}
COLUMNS = (
    "service",
    "subject",
    "state",
    "due",
    "held by",
    "requested by",
    "requested",
    "erased by",
)
AT_ONCE = 200  # persons that one call lists, or erases

service_option = click.option(
    "--service", type=click.Choice(SERVICES), help="Only in this registry; all."
)


@click.group(params=list(GLOBAL_OPTIONS))
def privacy() -> None:
    """Persons' data. Roles: security_administrator, audit_administrator.

    个人信息。角色：security_administrator、audit_administrator。
    """


@privacy.command(cls=Command)
@service_option
@click.pass_context
def find(ctx: click.Context, service: str | None) -> None:
    """Tell a person's pseudonyms: the identity number is read from standard input, where no history keeps it.

    查询人员的假名：身份证件号码从标准输入读取，不留在命令历史中。
    """
    prompt = "identity number · 身份证件号码"
    number = click.prompt(prompt, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    person = Person(identity_number=number.strip())
    requests = (pb.FindSubjectRequest(service=name, person=person) for name in _of(service))
    found = [session(ctx).client.privacy.FindSubject(request) for request in requests]
    _show(ctx, found)


@privacy.command(cls=Command)
@click.argument("subject", required=False)
@click.option("--due", is_flag=True, help="All whom `luoshu privacy due` lists, but those on hold.")
@click.option("--reason", required=True, help="Why; it is kept for ever and names no person.")
@service_option
@click.pass_context
def erase(
    ctx: click.Context, subject: str | None, due: bool, reason: str, service: str | None
) -> None:
    """Ask for the erasure of SUBJECT, or as the second person carry it out: its key is destroyed.

    申请删除人员信息，或作为第二人办理：销毁其密钥。
    """
    if bool(subject) == due:
        raise click.UsageError(
            "say SUBJECT, or --due for all that are due / 请填写 SUBJECT 或 --due"
        )
    if subject is None:
        _erase_due(ctx, reason, service)
        return
    request = pb.EraseSubjectRequest(subject=subject, reason=reason)
    _show(ctx, _where_known(ctx, "EraseSubject", request, service))


def _erase_due(ctx: click.Context, reason: str, service: str | None) -> None:
    """The list of a moment is gone through once: who is asked for now waits for somebody else."""
    found, calls = list[Any](), session(ctx).client.privacy
    for name in _of(service):
        subjects = [one.subject for one in due_in(name, session(ctx)) if one.HasField("due_date")]
        for start in range(0, len(subjects), AT_ONCE):
            request = pb.EraseDueSubjectsRequest(service=name, reason=reason)
            request.subjects.extend(subjects[start : start + AT_ONCE])
            found += calls.EraseDueSubjects(request).subjects
    _show(ctx, found)


@privacy.command(cls=Command)
@service_option
@click.pass_context
def due(ctx: click.Context, service: str | None) -> None:
    """List whose data the retention rule wants erased, since when, and whose erasure waits for its second person.

    列出保存期限届满应删除的人员（假名）与到期日，以及待第二人办理的删除申请。
    """
    _show(ctx, [one for name in _of(service) for one in due_in(name, session(ctx))])


@privacy.command(cls=Command)
@click.argument("subject")
@click.option("--reason", required=True, help="By which law or procedure; it names no person.")
@service_option
@click.pass_context
def hold(ctx: click.Context, subject: str, reason: str, service: str | None) -> None:
    """Keep the data of SUBJECT from erasure, until it is released.

    保全人员信息：在解除之前不得删除。
    """
    request = pb.HoldSubjectRequest(subject=subject, reason=reason)
    _show(ctx, _where_known(ctx, "HoldSubject", request, service))


@privacy.command(cls=Command)
@click.argument("subject")
@click.option("--reason", required=True, help="Why it ends; it names no person.")
@service_option
@click.pass_context
def release(ctx: click.Context, subject: str, reason: str, service: str | None) -> None:
    """End the hold on SUBJECT.

    解除人员信息保全。
    """
    request = pb.ReleaseSubjectRequest(subject=subject, reason=reason)
    _show(ctx, _where_known(ctx, "ReleaseSubject", request, service))


def due_in(service: str, here: Session) -> list[Any]:
    """Return who is due, and whose erasure waits, in a registry."""
    request = pb.ListDueSubjectsRequest(service=service, page_size=AT_ONCE)
    return list(iterate(here.client.privacy.ListDueSubjects, request))


def _where_known(ctx: click.Context, rpc: str, request: Any, service: str | None) -> list[Any]:
    """Ask each registry: each has pseudonyms of its own. Raises Failure: none knows this one."""
    found, call = list[Any](), getattr(session(ctx).client.privacy, rpc)
    for name in _of(service):
        request.service = name
        with contextlib.suppress(NotFound):
            found.append(call(request))
    if not found:
        raise Failure(
            f"no registry has a key of {request.subject}: nobody is known by it, or it was erased; see: luoshu privacy find",
            f"各登记库均无 {request.subject} 的密钥：无此人员，或已删除；可用 luoshu privacy find 查询",
        )
    return found


@privacy.command(cls=Command)
@click.option("-o", "--output", "style", type=click.Choice(["table", "json"]))
@click.pass_context
def retention(ctx: click.Context, style: str | None) -> None:
    """Print what is kept how long, by which source, and who sees to it; of the pack in LUOSHU_PACK.

    输出各类数据的保存期限、依据与执行方式。
    """
    import json

    from app.settings import load
    from kernel.pack import load as load_pack

    rules = tuple(load_pack(load().pack).retention)
    if (style or session(ctx).output) == "json":
        fields = ("id", "zh", "en", "months", "by", "source")
        told = [{name: getattr(rule, name) for name in fields} for rule in rules]
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    rows = [(r.id, f"{r.en} · {r.zh}", _months(r.months), _by(r.by), r.source) for r in rules]
    table(("class", "what", "kept", "by", "source"), rows)


def _months(months: int) -> str:
    return f"{months} months · {months} 个月" if months else "for ever · 永久"


def _by(by: str) -> str:
    known = {"program": "the program · 程序", "operator": "the operator · 运维人员"}
    return known[by]


def _of(service: str | None) -> tuple[str, ...]:
    return (service,) if service else SERVICES


def _show(ctx: click.Context, found: list[Any]) -> None:
    if session(ctx).output == "json":
        click.echo("[" + ",\n ".join(as_json(one) for one in found) + "]")
        return
    table(COLUMNS, [_cells(one) for one in found])
    if any(one.traces for one in found):
        text = (
            "old copies of the encrypted key may lie in the database's file; see docs/operations.md"
        )
        click.echo(
            f"{text} / 数据库文件中可能暂存旧的加密密钥副本，见 docs/operations.md", err=True
        )


def _cells(one: Any) -> tuple[str, ...]:
    name = pb.Subject.State.Name(one.state).removeprefix("STATE_")
    state = " ".join(STATES[name].values())
    requested = moment(one.request_time) if one.HasField("request_time") else ""
    due_date = day(one.due_date) if one.HasField("due_date") else ""
    held = f"{one.held_by}: {one.hold_reason}" if one.held_by else ""
    return (
        one.service,
        one.subject,
        state,
        due_date,
        held,
        one.requested_by,
        requested,
        one.erased_by,
    )
