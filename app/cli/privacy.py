"""`luoshu privacy`: whom a registry knows, erasing a person, and what is kept how long."""

import sys
from typing import Any

import click

from app.cli.failures import Failure
from app.cli.output import as_json, moment, table
from app.cli.session import GLOBAL_OPTIONS, Command, session
from luoshu.client import NotFound
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.privacy.v1 import privacy_pb2 as pb

SERVICES = ("platforms", "technologies", "funding", "coordination")
STATES = {
    "UNKNOWN": {"en": "unknown", "zh": "无此人员"},
    "HELD": {"en": "held", "zh": "在册"},
    "ERASURE_REQUESTED": {"en": "waits for the second person", "zh": "待第二人办理"},
    "ERASED": {"en": "erased", "zh": "已删除"},
}
COLUMNS = ("service", "subject", "state", "requested by", "requested", "erased by")

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
@click.argument("subject")
@click.option("--reason", required=True, help="Why; it is kept for ever and names no person.")
@service_option
@click.pass_context
def erase(ctx: click.Context, subject: str, reason: str, service: str | None) -> None:
    """Ask for the erasure of SUBJECT, or as the second person carry it out: its key is destroyed.

    申请删除人员信息，或作为第二人办理：销毁其密钥。
    """
    found = []
    for name in _of(service):
        request = pb.EraseSubjectRequest(service=name, subject=subject, reason=reason)
        try:
            found.append(session(ctx).client.privacy.EraseSubject(request))
        except NotFound:
            continue  # each registry has a pseudonym of its own
    if not found:
        raise Failure(
            f"no registry has a key of {subject}: nobody is known by it, or it was erased; see: luoshu privacy find",
            f"各登记库均无 {subject} 的密钥：无此人员，或已删除；可用 luoshu privacy find 查询",
        )
    _show(ctx, found)


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
    return one.service, one.subject, state, one.requested_by, requested, one.erased_by
