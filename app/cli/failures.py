"""What went wrong, in one line of English and one of Chinese, then what would work; and the exit
code.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from app.cli.session import Session

if TYPE_CHECKING:
    from luoshu.client import LuoshuError

DONE, UNEXPECTED, USAGE, REFUSED_ROWS = 0, 1, 2, 3
INTERRUPTED = 130
CODES = {
    "Invalid": 3,
    "NotFound": 4,
    "Refused": 5,
    "Denied": 6,
    "Unauthenticated": 6,
    "Stale": 7,
    "Reused": 7,
    "Unavailable": 8,
    "Overloaded": 8,
    "TooLate": 9,
    "AlreadyExists": 10,
    "Unsupported": 1,
    "Unexpected": 1,
}
"""Exit code of each error of the client, by its class; a test proves the table complete."""
EXITS: Mapping[int, tuple[str, str]] = {
    0: ("Done.", "完成。"),
    1: (
        "Unexpected; or nothing can start with this setting, pack or database.",
        "意外错误；或因设置、政策包、数据库而无法启动。",
    ),
    2: ("The command is wrong: usage.", "命令用法有误。"),
    3: ("The input, or some rows of it, are refused.", "输入或其中若干行被拒绝。"),
    4: ("Not found, or not for this caller to see.", "未找到，或当前身份不可见。"),
    5: (
        "The record's state or a rule forbids it; an audit found what is not as it was signed.",
        "记录状态或规则不允许；或审计核验发现与签署不符。",
    ),
    6: ("Not allowed, or nobody knows who calls.", "无权限，或身份不明。"),
    7: (
        "Stale, or the request id was used for something else.",
        "版本已过时，或请求编号已用于其他内容。",
    ),
    8: ("Nobody answers, or too much to do: try again.", "无应答或过载：请重试。"),
    9: (
        "The time was over: the outcome is unknown, and the same `--request-id` tells.",
        "超时：结果未知，用相同的 `--request-id` 重复即可确认。",
    ),
    10: ("The name is taken.", "名称已被占用。"),
    130: ("Interrupted.", "已中断。"),
}
"""Exit code → what it means; docs/errors.md prints it."""


class Failure(Exception):
    """A command cannot go on: texts in both languages, and the exit code."""

    def __init__(self, en: str, zh: str, code: int = USAGE) -> None:
        super().__init__(en)
        self.en, self.zh, self.code = en, zh, code


def run(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a command and return the exit code; no expected error leaves a traceback."""
    opened = Session()
    try:
        result = command.main(
            list(arguments) if arguments is not None else None,
            prog_name="luoshu",
            standalone_mode=False,
            obj=opened,
        )
    except click.ClickException as error:
        from app.cli.usage import show_usage

        show_usage(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted (`| head`); what Python flushes at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - what is not expected is raised again
        return _code_of(error, opened)
    finally:
        opened.close()
    return result if isinstance(result, int) else DONE


def _code_of(error: Exception, opened: Session) -> int:
    """Print an expected error and return its code; raise any other again."""
    if isinstance(error, Failure):
        complain(error.en, error.zh)
        return error.code
    # Only what is loaded can have been raised, and loading the client takes a while.
    problems: Any = sys.modules.get("app.importing.problems")
    if problems is not None and isinstance(error, problems.UnfitFile | problems.UnfitValue):
        complain(error.en, error.zh)
        return REFUSED_ROWS
    if any(isinstance(error, kind) for kind in _of_operators()):
        complain(str(error), str(error))
        return UNEXPECTED
    client: Any = sys.modules.get("luoshu.client.errors")
    if client is None or not isinstance(error, client.LuoshuError):
        raise error
    explain(error, opened)
    return code_of(error)


def _of_operators() -> Iterator[type[Exception]]:
    """Yield what settings, packs and databases raise where an operator has to correct something."""
    for module, name in (
        ("app.settings", "SettingsError"),
        ("app.migrate", "SchemaBehind"),
        ("kernel.pack", "PackError"),
    ):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


def code_of(error: Exception) -> int:
    """Return the exit code of an error of the client."""
    return CODES.get(type(error).__name__, UNEXPECTED)


def complain(en: str, zh: str) -> None:
    """Print an error in both languages."""
    click.secho(f"error: {en}", fg="red", err=True)
    if zh != en:
        click.secho(f"错误：{zh}", fg="red", err=True)


def explain(error: "LuoshuError", opened: Session) -> None:
    """Print an error of the client, its problems where there are several, and what would work."""
    complain(error.text_en, error.text_zh)
    if len(error.problems) > 1:
        for problem in error.problems:
            click.echo(f"  {problem.field} [{problem.code}] {problem.text_en}", err=True)
            click.echo(f"  {problem.field} [{problem.code}] {problem.text_zh}", err=True)
    for line in _hints(error, opened):
        click.echo(line, err=True)


def _hints(error: "LuoshuError", opened: Session) -> Iterator[str]:
    kind = type(error).__name__
    if kind == "Unavailable" and error.code == "UNAVAILABLE":
        yield f"Is a server at {opened.address}? Start one with `luoshu serve`, or name one with --address."
        yield f"{opened.address} 上是否有服务？请用 luoshu serve 启动，或用 --address 指定。"
    if kind in ("Denied", "Unauthenticated", "NotFound"):
        who = f"{opened.department or '-'}:{opened.actor}, roles {opened.roles or '-'}"
        yield f"You call as {who}; change it with --as DEPARTMENT:ACTOR and --roles ROLE,…"
        yield f"当前身份为 {who}；可用 --as 部门:账号 与 --roles 角色 更改。"
    if error.unsent and error.request_id:
        yield "Nothing was sent, so nothing was done: repeat the command once a server answers."
        yield "请求未发出，操作没有执行：待服务可用后重新执行即可。"
    elif kind in ("Unavailable", "TooLate") and error.request_id:
        yield f"Whether it was done is not known; repeating it with --request-id {error.request_id} tells."
        yield f"结果未知；用 --request-id {error.request_id} 重复同一命令即可确认。"
