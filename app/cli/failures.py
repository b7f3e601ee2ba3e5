"""What went wrong, in one line of English and one of Chinese, then what would work; and the exit
code.

0 done; 1 unexpected, or nothing can start with this setting, pack or database; 2 usage; 3 the input
or some rows are refused; 4 not found; 5 the record's state or a rule forbids it; 6 not allowed, or
nobody knows who calls; 7 stale, or the request id was used for something else; 8 nobody answers, or
too much to do: try again; 9 the time was over: the outcome is unknown; 10 the name is taken; 130
interrupted.
"""

import os
import sys
from collections.abc import Iterator, Sequence
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
