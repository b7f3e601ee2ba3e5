"""Files that are named on the command line: what is written can be written, and what is read is text."""

import os
from pathlib import Path
from typing import Any

import click

from app.cli.failures import Failure


class Target(click.Path):
    """A file to write to; that it can be is checked before any work. Raises Failure."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        reason = _hindrance(path)
        if reason:
            en, zh = reason
            raise Failure(
                f"cannot write {path}: {en}; name a file in a folder that there is",
                f"无法写入 {path}：{zh}；请给出已有目录中的文件",
            )
        return path


def _hindrance(path: Path) -> tuple[str, str] | None:
    if path.is_dir():
        return "it is a folder", "它是目录"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}", f"没有目录 {path.parent}"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return "it may not be written", "没有写入权限"
    return None


def text_of(path: Path) -> str:
    """Return a text file's content. Raises Failure."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Failure(
            f"{path} is no text (UTF-8); was another file meant?",
            f"{path} 不是 UTF-8 文本；是否选错了文件？",
        ) from None
    except OSError as error:
        reason = error.strerror
        raise Failure(f"cannot read {path}: {reason}", f"无法读取 {path}：{reason}") from None


def style_of(file: Path | None, style: str | None, styles: tuple[str, ...]) -> str | None:
    """Return the format asked for, else the one that the file's ending tells. Raises Failure: neither fits a file."""
    found = style or (file.suffix[1:].lower() if file else None)
    if file is None or found in styles:
        return found
    endings = [f".{one}" for one in styles]
    raise Failure(
        f"{file}: write to a file that ends in {' or '.join(endings)}",
        f"{file}：请使用以 {' 或 '.join(endings)} 结尾的文件名",
    )
