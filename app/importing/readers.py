"""Rows of a file, with their line numbers: JSON lines, JSON, CSV and XLSX."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.importing.paths import values
from app.importing.problems import UnfitFile, UnfitValue

BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
FORMATS: Mapping[str, str] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the file has it, or why it could not be read. `line`: see `Refusal.line`."""

    line: int
    content: Any = field(default_factory=dict)
    problem: UnfitValue | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is read.

    `style`: empty, by its name. `each`: path of the rows in a JSON document.
    """

    style: str = ""
    each: str = ""
    sheet: str = ""


BY_NAME = Form()


def read(path: Path, form: Form = BY_NAME) -> Iterator[Row]:
    """Yield the rows of a file. Raises UnfitFile."""
    kind = form.style or FORMATS.get(path.suffix.lower(), "")
    if kind == "xlsx":
        return _xlsx(path, form.sheet)
    if kind == "json":
        return _json(decoded(path), form.each)
    readers: dict[str, Callable[[str], Iterator[Row]]] = {
        "jsonl": _json_lines,
        "csv": lambda text: _separated(text, ","),
        "tsv": lambda text: _separated(text, "\t"),
    }
    if kind not in readers:
        known = ", ".join(sorted({*readers, "json", "xlsx"}))
        raise UnfitFile(
            f"cannot tell the format of {path.name}; known: {known}",
            f"无法识别 {path.name} 的格式；可用：{known}",
        )
    return readers[kind](decoded(path))


def decoded(path: Path) -> str:
    """Return a file's text: by its byte order mark, else UTF-8, else GB 18030. Raises UnfitFile."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnfitFile(
            f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}"
        ) from None
    marked = [encoding for mark, encoding in BYTE_ORDER_MARKS if content.startswith(mark)]
    for encoding in marked or ("utf-8", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnfitFile(
        f"{path.name} is neither UTF-8 nor GB 18030; save it as UTF-8",
        f"{path.name} 既不是 UTF-8 也不是 GB 18030 编码；请另存为 UTF-8",
    )


def _json_lines(text: str) -> Iterator[Row]:
    # not splitlines(): a text inside a JSON string may hold U+2028, which is no end of line here
    for line, one in enumerate(io.StringIO(text), start=1):
        if not one.strip():
            continue
        try:
            yield Row(line, json.loads(one, parse_float=Decimal))
        except ValueError as error:
            en, zh = f"the line is no JSON: {error}", f"该行不是 JSON：{error}"
            yield Row(line, problem=UnfitValue("NOT_JSON", en, zh))


def _json(text: str, each: str) -> Iterator[Row]:
    try:
        document = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise UnfitFile(f"the file is no JSON: {error}", f"文件不是 JSON：{error}") from None
    rows = values(document, each) if each else document
    if not isinstance(rows, list):
        raise UnfitFile(
            "the JSON document is no list of rows; name their path with `each`",
            "JSON 文档不是行的列表；请用 `each` 指明路径",
        )
    return (Row(number, content) for number, content in enumerate(rows, start=1))


def _separated(text: str, separator: str) -> Iterator[Row]:
    csv.field_size_limit(16 << 20)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    begins = 1
    lines: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            lines.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UnfitFile(f"line {begins}: {error}", f"第 {begins} 行：{error}") from None
    return _table(lines)


def _xlsx(path: Path, sheet: str) -> Iterator[Row]:
    import openpyxl  # slow to load, and not every import is of a workbook

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001 - openpyxl raises what zipfile, its XML parser and itself raise
        raise UnfitFile(
            f"cannot read {path.name} as a workbook: {error}",
            f"无法将 {path.name} 作为工作簿读取：{error}",
        ) from None
    if sheet and sheet not in book.sheetnames:
        names = ", ".join(book.sheetnames)
        raise UnfitFile(
            f"no sheet {sheet!r}; there are: {names}", f"没有工作表 {sheet!r}；现有：{names}"
        )
    rows = (book[sheet] if sheet else book.worksheets[0]).iter_rows(values_only=True)
    return _table((line, [_cell(v) for v in cells]) for line, cells in enumerate(rows, start=1))


def _cell(value: Any) -> str:
    """Return a cell's value as a person would type it: no `.0` behind whole numbers, no time behind
    dates.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    text = (
        value.isoformat(sep=" ")
        if hasattr(value, "hour") and hasattr(value, "year")
        else str(value)
    )
    return text.removesuffix(" 00:00:00")


def harmless(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text, not for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t")) else cell


def _table(lines: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    """Yield rows by the names in the first line that is not blank; blank lines are no rows."""
    headers: list[str] | None = None
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if headers is None:
            headers = _headers(cells)
        else:
            yield _row(line, headers, cells)


def _headers(cells: list[str]) -> list[str]:
    headers = [cell.strip() for cell in cells]
    while headers and not headers[-1]:
        headers.pop()
    twice = sorted({h for h in headers if headers.count(h) > 1})
    if twice:
        names = ", ".join(repr(h) for h in twice)
        raise UnfitFile(f"columns named twice: {names}", f"重复的列名：{names}")
    return headers


def _row(line: int, headers: list[str], cells: list[str]) -> Row:
    beyond = [cell for cell in cells[len(headers) :] if cell.strip()]
    if beyond:
        en = f"{len(beyond)} more cells than the {len(headers)} columns; is a quote missing?"
        zh = f"比 {len(headers)} 列多出 {len(beyond)} 个单元格；是否缺少引号？"
        return Row(line, problem=UnfitValue("TOO_MANY_CELLS", en, zh))
    return Row(line, dict(zip(headers, cells, strict=False)))
