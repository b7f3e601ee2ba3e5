"""What a running server shows of its data: a month's report as files, the targets, an audit that holds."""

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from app.cli.report import FORMATS
from app.demo.money import show_money
from app.demo.people import AUDITOR
from app.demo.telling import Teller
from kernel.dates import ONE_DAY, month_start
from luoshu.audit.v1 import audit_pb2
from luoshu.client import Client, connect, iterate
from luoshu.reports.v1 import reports_pb2
from services.audit.domain import from_wire
from services.audit.verify import verify_log
from services.reports.texts import Language

PATIENCE = 60.0  # seconds for the reports to take in the journals
LANGUAGES = ("zh", "en")


class NotSound(Exception):
    """The audit log is not what was signed."""


def show(address: str, folder: Path, today: datetime.date, tell: Teller) -> None:
    """Write the last month's report, show the targets, verify the audit. Raises NotSound."""
    with connect(
        address, department=AUDITOR.department, actor=AUDITOR.account, roles=AUDITOR.roles
    ) as client:
        tell.heading("上月报告", "last month's report")
        month = month_start(today) - ONE_DAY
        name = f"reports/{month:%Y-%m}"
        _await_closed(client, name)
        for file in _files(client, name, folder):
            tell.done(file)
        show_money(client, tell)
        tell.heading("二〇二七年目标", "targets for 2027")
        _targets(client, tell)
        tell.heading("审计", "audit")
        tell.done(_audited(client))
        tell.say(
            "公钥取自日志自身；各部门应与另行取得的公钥核对（luoshu audit verify --key）。",
            "The key came from the log itself; a department compares it with one that it got another way.",
            "dim",
        )


def _await_closed(client: Client, name: str) -> None:
    """Wait until the month is closed; one that the sample is too young for stays as it is."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        listed = client.reports.ListReports(reports_pb2.ListReportsRequest(page_size=1000))
        found = {summary.name: summary.status for summary in listed.reports}
        if found and found.get(name) in (None, reports_pb2.STATUS_CLOSED):
            return
        time.sleep(0.2)


def _files(client: Client, name: str, folder: Path) -> Iterator[str]:
    """Write the report in every form and language; yield what was written. JSON has both languages."""
    folder.mkdir(parents=True, exist_ok=True)
    for style, number in FORMATS.items():
        for language in LANGUAGES if style != "json" else LANGUAGES[:1]:
            request = reports_pb2.RenderReportRequest(name=name, format=number, language=language)
            rendered = client.reports.RenderReport(request)
            mark = f".{language}" if style != "json" else ""
            path = folder / f"{name.removeprefix('reports/')}{mark}.{style}"
            path.write_bytes(rendered.content)
            yield f"{path}  {len(rendered.content):,} bytes"


def _targets(client: Client, tell: Teller) -> None:
    """Show what is counted towards the plans' targets by now; what nothing counts is not shown as 0."""
    board = client.reports.GetBoard(reports_pb2.GetBoardRequest())
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("  ", "目标 target", "目标值 goal", "已计 counted"):
        grid.add_column(heading)
    uncounted = 0
    for target in (target for plan in board.plans for target in plan.targets):
        uncounted += not target.HasField("counted")
        if target.HasField("counted"):
            grid.add_row(*_cells(target))
    tell.console.print(grid)
    tell.say(
        f"另有 {uncounted} 项目标来自统计数据或尚不能计数，故不显示数值。",
        f"{uncounted} more targets are statistics, or cannot be counted yet: no number is shown.",
        "dim",
    )


def _cells(target: Any) -> tuple[str, ...]:
    goal = f"{Language('zh').aim(target)}\n[dim]{Language('en').aim(target)}[/dim]"
    title = f"{target.title.zh}\n[dim]{target.title.en}[/dim]"
    return f"  {target.id}", title, goal, str(target.counted)


def _audited(client: Client) -> str:
    """Recompute the Merkle log from its entries and hold it to the signed checkpoint."""
    newest = client.audit.GetCheckpoint(audit_pb2.GetCheckpointRequest())
    request = audit_pb2.ListEntriesRequest(page_size=1000, include_event=True, oldest_first=True)
    every = iterate(client.audit.ListEntries, request)
    covered = (from_wire(entry) for entry in every if entry.index < newest.size)
    outcome = verify_log(covered, newest.note, newest.verifier_key)
    if outcome.findings:
        raise NotSound("; ".join(f"{finding.en} / {finding.zh}" for finding in outcome.findings))
    root = outcome.root.hex()[:16]
    return f"{outcome.size} 条记录与签署内容一致 entries are what was signed; root {root}…"


def next_steps(address: str, today: datetime.date, tell: Teller) -> None:
    """Tell what to look at next, as commands to copy. `address`: empty where the shell knows it already."""
    tell.heading("接下来可以看", "what to look at next")
    where = f"LUOSHU_ADDRESS={address} " if address and not address.endswith(":50051") else ""
    month = f"{month_start(today) - ONE_DAY:%Y-%m}"
    auditor = f"--as {AUDITOR.department}:{AUDITOR.account} --roles auditor"
    for command, zh, en in (
        (
            "list platforms --filter 'level = LEVEL_PROVINCIAL' --as DST",
            "省级平台",
            "platforms of provincial level",
        ),
        ("history platforms/demo-smart-cars --as DST", "一个平台的经历", "a platform's history"),
        (
            "get applications/demo-boring-machine --as DIIT",
            "一个已拨款的项目",
            "an award, paid in part",
        ),
        (
            "statement DIIT --as DIIT",
            "部门资金对账单",
            "a department's statement, out of the ledger",
        ),
        ("inbox --as DRC", "部门待办，先到期者在前", "what a department owes, soonest first"),
        (
            "eligibility applications/demo-boring-machine --as DIIT",
            "逐条资格核查",
            "every rule, and why",
        ),
        (f"report {month} --language en {auditor}", "上月报告", "last month's report"),
        (f"audit entries --action approve {auditor}", "谁批准了什么", "who approved what"),
        ("watch platforms --as DST", "实时变更", "changes as they happen"),
    ):
        tell.command(f"{where}.venv/bin/luoshu {command}", zh, en)
