"""The command `luoshu`: every command is loaded only when it is called, so that help is instant."""

import importlib
import sys
from collections.abc import Sequence

import click

from app.cli.session import GLOBAL_OPTIONS, Session

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("operating:serve", "Run services in this process · 启动服务"),
    "migrate": ("operating:migrate", "Bring databases and topics up to date · 升级数据库与主题"),
    "cluster": ("cluster:cluster", "Run a whole cluster on this machine · 在本机运行集群"),
    "settings": ("operating:settings", "Print every setting and its value · 列出全部设置"),
    "list": ("records:list_records", "List records by a filter · 按条件列出记录"),
    "get": ("records:get", "Show one record, now or as it was · 查看记录（可回溯）"),
    "create": ("writing:create", "Register a record · 新建记录"),
    "update": ("writing:update", "Edit fields of a record · 修改记录"),
    "history": ("records:history", "Show a record's changes, newest first · 查看变更历史"),
    "watch": ("watching:watch", "Print changes as they happen · 实时跟踪变更"),
    "inbox": ("inbox:inbox", "List what your department owes · 本部门待办"),
    "bid": ("bidding:bid", "Hand in a sealed bid, reveal it · 密封揭榜与开标"),
    "duplicates": ("duplicates:duplicates", "Check and decide duplicates · 查重"),
    "review": ("reviewing:review", "Show a joint review, answer it · 查看与答复会签"),
    "import": ("importing:import_file", "Enter rows of a file · 导入文件"),
    "template": ("importing:template", "Print an empty file to fill in · 输出导入模板"),
    "lifecycle": ("lifecycle:lifecycle", "Print a lifecycle's table · 输出生命周期表"),
    "report": ("report:report", "Print a period's report or the targets · 输出报告与目标进度"),
    "eligibility": (
        "eligibility:eligibility",
        "Explain the rules for an application · 资格核查",
    ),
    "statement": ("statement:statement", "State what is awarded, paid and left · 资金对账单"),
    "audit": ("questions:audit", "Search and verify the audit log · 查询与核验审计日志"),
    "rebuild": ("rebuild:rebuild", "Build reports anew and compare · 重建并核对报告数据"),
    "events": ("events:events", "Parked events: list, try again · 搁置的事件"),
    "witness": ("witness:witness", "Cosign the audit log for a department · 部门见证审计日志"),
    "privacy": ("privacy:privacy", "Persons' data: find, erase, retention · 个人信息与保存期限"),
    "completion": ("completion:completion", "Print a shell's completion script · 输出补全脚本"),
}
"""Name → where it is, and what help says of it."""

EPILOG = (
    "Every action of a lifecycle is a command too: `luoshu ACTION NAME [OPTIONS]`, such as "
    "`luoshu submit platforms/songshan`; `luoshu ACTION NAME --help` tells its options."
    "\n\n生命周期的每个动作也是命令：luoshu 动作 名称 [选项]。"
)


def _version(ctx: click.Context) -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("luoshu")
    except PackageNotFoundError:
        found = "(not installed)"
    click.echo(f"luoshu {found}")
    ctx.exit()


class Commands(click.Group):
    """Knows its commands' names by heart and loads one when it is called; any other name is an
    action.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from app.cli.actions import action_command

            return action_command(cmd_name)
        module, name = COMMANDS[cmd_name][0].split(":")
        loaded = getattr(importlib.import_module(f"app.cli.{module}"), name)
        assert isinstance(loaded, click.Command)  # noqa: S101 - the table above is ours
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None:
            from app.cli.actions import unknown

            raise unknown(ctx, args)
        return args[0], command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands from the table, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


@click.group(
    cls=Commands,
    params=GLOBAL_OPTIONS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=False,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, param, value: _version(ctx) if value else None,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Luoshu (洛书): platforms, technologies and funding of a province.

    洛书：省级科技创新平台、关键技术与科技经费的登记、评审、拨付与审计。
    """
    ctx.ensure_object(Session)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: see `app.cli.failures` for the codes."""
    from app.cli.failures import run

    sys.exit(run(cli, arguments))
