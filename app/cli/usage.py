"""What click complains of, in Chinese too: its own texts are English."""

import re
import sys
from collections.abc import Callable
from typing import Any

import click

from app.cli.failures import INTERRUPTED

EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)")
NEEDS = re.compile(r"requires (an argument|\d+ arguments)|does not take a value")


def show_usage(error: click.ClickException) -> None:
    """Print how the command is called and what is wrong, in both languages."""
    error.show()
    if chinese := in_chinese(error):
        click.secho(f"错误：{chinese}", fg="red", err=True)


def start(command: click.Command) -> None:
    """Run a command that is a program of its own; wrong usage is told in both languages."""
    try:
        command.main(standalone_mode=False)
    except click.ClickException as error:
        show_usage(error)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)


def in_chinese(error: click.ClickException) -> str:
    """Return the complaint in Chinese; where there is nothing to add, empty."""
    told = next((tell for kind, tell in TOLD if isinstance(error, kind)), None)
    return told(error) if told else ""


def _missing(error: Any) -> str:
    argument = isinstance(error.param, click.Argument)
    return f"缺少{'参数' if argument else '选项'} {_named(error)}；用法见 --help"


def _no_option(error: Any) -> str:
    near = f"；是否为 {'、'.join(error.possibilities)}？" if error.possibilities else ""
    return f"没有选项 {error.option_name}{near}；可用选项见 --help"


def _misused(error: Any) -> str:
    said = NEEDS.search(error.message)
    how = "用法有误" if said is None else "后须有值" if said[1] else "不带值"
    return f"选项 {error.option_name} {how}"


def _bad(error: Any) -> str:
    return f"{_named(error)} 的值无效：{_wanted(error)}"


def _wanted(error: Any) -> str:
    """Return what would do, by the parameter's type; else click's own words."""
    kind = error.param.type if error.param is not None else None
    if isinstance(kind, click.Choice):
        return f"可用：{'、'.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"须为{'整' if isinstance(kind, click.IntRange) else ''}数，范围 {_range(kind)}"
    if isinstance(kind, click.types.IntParamType):
        return "须为整数"
    if isinstance(kind, click.Path):
        return "文件不存在或不能读取" if kind.exists else str(error.message)
    return str(error.message)


def _range(kind: Any) -> str:
    least = "" if kind.min is None else f"{'大于' if kind.min_open else '不小于'} {kind.min:g}"
    most = "" if kind.max is None else f"{'小于' if kind.max_open else '不大于'} {kind.max:g}"
    return "，".join(filter(None, (least, most)))


def _wrong(error: Any) -> str:
    if found := EXTRA.search(error.message):
        return f"多余的参数：{found[1]}；用法见 --help"
    return "用法有误，见 --help"


def _named(error: Any) -> str:
    """Return a parameter as it is written: `--stage`, `NAME`."""
    param = error.param
    if param is None:
        return str(error.param_hint or "")
    if isinstance(param, click.Argument):
        return str(param.make_metavar(error.ctx) if error.ctx else param.name).strip("[]")
    return str(max(param.opts, key=len))


TOLD: tuple[tuple[type[click.ClickException], Callable[[Any], str]], ...] = (
    (click.MissingParameter, _missing),
    (click.NoSuchOption, _no_option),
    (click.BadOptionUsage, _misused),
    (click.BadParameter, _bad),
    (click.FileError, lambda error: f"不能打开文件 {error.ui_filename}"),
    (click.UsageError, _wrong),
)
"""The most special first."""
