"""`luoshu import RESOURCE FILE` and the empty file to fill in."""

import csv
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import click

from app.cli.failures import DONE, REFUSED_ROWS, Failure
from app.cli.files import Target
from app.cli.kinds import demand, kind_of, registries
from app.cli.records import resources
from app.cli.session import Command, session
from app.importing import headers, readers
from app.importing.batches import Compiler
from app.importing.mapping import Mapping, load
from app.importing.packs import tables
from app.importing.problems import Refusal, UnfitFile
from app.importing.sending import Sender, Summary
from luoshu.client.contract import Kind, caller

SHOWN = 20
"""Refusals that are printed without --report; the rest is counted."""
TIMEOUT = 3600.0  # seconds a stream may take
COLUMNS = (
    "line 行",
    "column 列",
    "field 字段",
    "code 代码",
    "text_en 英文说明",
    "text_zh 中文说明",
)


@click.command("import", cls=Command)
@click.argument("resource", shell_complete=resources)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--map", "map_file", type=click.Path(exists=True, path_type=Path), help="Mapping (YAML)."
)
@click.option("--source", default="", help="The source's name; without a mapping: template.")
@click.option(
    "--format",
    "style",
    default="",
    help="jsonl, json, csv, tsv, xlsx; else by the name; standard input: csv.",
)
@click.option("--sheet", default="", help="Sheet of a workbook; else the first.")
@click.option("--dry-run", is_flag=True, help="Check everything; enter nothing.")
@click.option("--report", "report_file", type=Target(), help="Refusals as CSV.")
@click.pass_context
def import_file(
    ctx: click.Context,
    resource: str,
    file: Path,
    map_file: Path | None,
    source: str,
    style: str,
    sheet: str,
    dry_run: bool,
    report_file: Path | None,
) -> int:
    """Enter the rows of a file: JSON lines, JSON, CSV or XLSX, by our headings or by a mapping.

    FILE may be -: standard input. A row that was entered before changes nothing, so a file may be sent again.
    """
    kind = kind_of(resource)
    demand(kind, f"Import{kind.plural}")
    mapped = load(map_file) if map_file else None
    form = readers.Form(
        style or (mapped.format if mapped else ""),
        mapped.each if mapped else "",
        sheet or (mapped.sheet if mapped else ""),
    )
    rows = _read(file, form)
    mapping, rows = (mapped, rows) if mapped else _by_headings(kind, rows, source)
    if source:
        mapping = replace(mapping, source=source)
    _check_resource(mapping, kind)
    summary = Summary()
    _send(ctx, Compiler(kind, mapping), rows, summary, dry_run)
    _tell(summary, report_file, dry_run)
    return REFUSED_ROWS if summary.refused else DONE


def _read(file: Path, form: readers.Form) -> Iterator[readers.Row]:
    """Yield the rows of a file, or of standard input where it is `-`. Raises UnfitFile."""
    if str(file) != "-":
        return readers.read(file, form)
    style = form.style or "csv"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"stdin.{style}"
        copy.write_bytes(sys.stdin.buffer.read())
        return iter(list(readers.read(copy, replace(form, style=style))))


def _by_headings(
    kind: Kind, rows: Iterator[readers.Row], source: str
) -> tuple[Mapping, Iterator[readers.Row]]:
    """Return the mapping that the file's own headings make: those of all rows read ahead for it. Raises UnfitFile."""
    ahead = list(itertools.islice(rows, 1000))
    if not ahead:
        raise UnfitFile(
            f"the file has no rows; `luoshu template {kind.collection} --sample` shows one below the headings",
            f"文件中没有数据行；luoshu template {kind.collection} --sample 会在表头下给出示例行",
        )
    contents = [row.content for row in ahead if row.problem is None]
    if any(not isinstance(content, dict) for content in contents):
        raise UnfitFile(
            "the rows are no objects; describe them by a mapping, --map FILE",
            "行不是对象；请用 --map FILE 给出映射",
        )
    headings = dict.fromkeys(heading for content in contents for heading in content)
    mapping = headers.mapping_of(kind, headings, source, tables)
    return mapping, itertools.chain(ahead, rows)


def _check_resource(mapping: Mapping, kind: Kind) -> None:
    if mapping.resource != kind.collection:
        raise Failure(
            f"the mapping makes {mapping.resource}, not {kind.collection}",
            f"映射对应的是 {mapping.resource}，不是 {kind.collection}",
        )


def _send(
    ctx: click.Context, compiler: Compiler, rows: Iterator[Any], summary: Summary, dry_run: bool
) -> None:
    compiler.check()
    method = compiler.kind.method(f"Import{compiler.kind.plural}")
    call = caller(session(ctx).client.channel, method)
    batches = compiler.batches(compiler.rows(rows, summary.refuse), validate_only=dry_run)
    sender = Sender(call, timeout=TIMEOUT, sleep=time.sleep)
    with _progress() as advance:
        for answer in sender.send(batches):
            for result in answer.results:
                summary.answer(result, compiler.column)
            advance(summary)


class _progress:  # noqa: N801 - used as a function
    """A bar on a terminal; nothing where nobody watches."""

    def __enter__(self) -> Callable[[Summary], None]:
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            text = TextColumn("{task.completed} rows · 行  {task.description}")
            self._bar = Progress(
                BarColumn(), text, TimeElapsedColumn(), console=Console(stderr=True)
            )
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self._advance

    def _advance(self, summary: Summary) -> None:
        if self._bar is not None:
            refused = f"refused · 拒绝 {summary.refused}" if summary.refused else ""
            self._bar.update(self._task, completed=summary.rows, description=refused)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _tell(summary: Summary, report_file: Path | None, dry_run: bool) -> None:
    refusals = sorted(summary.refusals, key=lambda refusal: refusal.line)
    for refusal in refusals[: SHOWN if not report_file else 0]:
        click.echo("\n".join(refusal_lines(refusal)), err=True)
    if len(refusals) > SHOWN and not report_file:
        rest = len(refusals) - SHOWN
        click.echo(f"… {rest} more; --report FILE has all · 另有 {rest} 条，见 --report", err=True)
    click.echo("\n".join(summary_lines(summary, dry_run)))
    if report_file:
        _write(report_file, refusals)
    if report_file and refusals:
        count = summary.refused
        click.echo(
            f"{count} refused, see {report_file} · 拒绝 {count} 行，见 {report_file}", err=True
        )


def refusal_lines(refusal: Refusal) -> list[str]:
    """Return a refusal in both languages."""
    column = refusal.column or refusal.field
    en = f"line {refusal.line}{f', {column}' if column else ''} [{refusal.code}] {refusal.text_en}"
    zh = f"第 {refusal.line} 行{f'，{column}' if column else ''} [{refusal.code}] {refusal.text_zh}"
    return [en, zh]


def summary_lines(summary: Summary, dry_run: bool) -> list[str]:
    """Return what it came to, in both languages; the parts sum to the rows."""
    numbers = (summary.entered, summary.present, summary.refused, summary.rows)
    en = "{} {} + {} already there + {} refused = {} rows"
    zh = "{} {} + 已存在 {} + 拒绝 {} = 共 {} 行"
    return [
        en.format(numbers[0], "would enter" if dry_run else "entered", *numbers[1:]),
        zh.format("可导入" if dry_run else "已导入", *numbers),
    ]


def _write(file: Path, refusals: list[Refusal]) -> None:
    """Write refusals as CSV with a byte order mark, without which Excel garbles Chinese."""
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows([readers.harmless(str(cell)) for cell in astuple(r)] for r in refusals)


@click.command(cls=Command)
@click.argument("resource", required=False, shell_complete=resources)
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh")
@click.option("--sample", is_flag=True, help="With an example row.")
def template(resource: str | None, language: str, sample: bool) -> None:
    """Print the headings of a CSV file for `luoshu import`; without RESOURCE what there is."""
    importable = [k.collection for k in registries().values() if f"Import{k.plural}" in _calls(k)]
    if resource is None:
        click.echo("\n".join(importable))
        return
    kind = kind_of(resource)
    if kind.collection not in importable:
        raise Failure(
            f"{kind.collection} cannot be imported; there are templates of {', '.join(importable)}",
            f"{kind.collection} 不能导入；有模板的：{'、'.join(importable)}",
        )
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headers.headings(kind, language))
    if sample:
        writer.writerow(headers.sample(kind, language))


def _calls(kind: Kind) -> Container[str]:
    return kind.service.methods_by_name
