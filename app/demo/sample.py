"""The sample: three public files by their mappings, and real platforms of the province by our own headings."""

import csv
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from app.cli.importing import COLUMNS
from app.demo.people import IMPORTER
from app.demo.stage import Stage, Stopped
from app.importing import readers
from app.importing.batches import Compiler
from app.importing.headers import mapping_of
from app.importing.mapping import Mapping, load
from app.importing.packs import tables
from app.importing.problems import Refusal
from app.importing.sending import Sender, Summary
from app.settings import ROOT
from luoshu.client.contract import caller, kinds

EXAMPLES = ROOT / "examples"
TIMEOUT = 300.0  # seconds an import may take


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the sample. `mapping`: empty where its headings are our own."""

    file: str
    mapping: str
    collection: str
    zh: str
    en: str


SOURCES = (
    Source("ror_cn_versions.jsonl", "ror.yaml", "platforms", "科研机构的历次版本", "organisations by version (ROR)"),
    Source("techport_projects.json", "techport.yaml", "breakthroughs", "带就绪度的技术项目", "projects with levels (TechPort)"),
    Source("sbir_awards.csv", "sbir.yaml", "applications", "多部门的立项", "awards of 11 agencies (SBIR)"),
    Source("henan_platforms.csv", "", "platforms", "河南省已有平台", "Henan's own, with sources"),
)  # fmt: skip


def enter(stage: Stage, reports: Path) -> None:
    """Enter every file. What was refused is told, and written to `reports`. Raises Stopped."""
    with stage.tell.bars() as bars:
        told = [(source, _enter(stage, source, bars)) for source in SOURCES]
    stage.tell.sums([(s.zh, s.en, *_numbers(summary)) for s, summary in told])
    if any(summary.present for _, summary in told):
        stage.tell.say(
            "完全相同的行只入库一次，故为“已有”。",
            "A row that stands twice in a file is entered once: “already there”.",
            "dim",
        )
    for source, summary in told:
        _tell_refusals(stage, source, summary, reports)


def _numbers(summary: Summary) -> tuple[int, int, int, int]:
    return summary.rows, summary.entered, summary.present, summary.refused


def _enter(stage: Stage, source: Source, bars: Progress) -> Summary:
    """Send a file's rows, a message at a time."""
    mapping, rows = _rows(source)
    compiler, summary = Compiler(kinds()[source.collection], mapping), Summary()
    task = bars.add_task(source.file, total=len(rows))
    method = compiler.kind.method(f"Import{compiler.kind.plural}")
    call = caller(stage.client(IMPORTER).channel, method)
    batches = compiler.batches(compiler.rows(iter(rows), summary.refuse), validate_only=False)
    for answer in Sender(call, timeout=TIMEOUT, sleep=time.sleep).send(batches):
        for result in answer.results:
            summary.answer(result, compiler.column)
        _advance(stage, bars, task, summary)
    _advance(stage, bars, task, summary)
    return summary


def _advance(stage: Stage, bars: Progress, task: TaskID, summary: Summary) -> None:
    bars.update(task, completed=summary.rows)
    if stage.stopping():
        raise Stopped


def _rows(source: Source) -> tuple[Mapping, list[readers.Row]]:
    file = EXAMPLES / "data" / source.file
    if source.mapping:
        mapping = load(EXAMPLES / "mappings" / source.mapping)
        form = readers.Form(mapping.format, mapping.each, mapping.sheet)
        return mapping, list(readers.read(file, form))
    rows = list(readers.read(file, readers.Form("", "", "")))
    headings = dict.fromkeys(itertools.chain.from_iterable(_headings(rows)))
    own = mapping_of(kinds()[source.collection], headings, "henan", tables)
    return replace(own, source="henan"), rows


def _headings(rows: list[readers.Row]) -> Iterator[Any]:
    return (row.content for row in rows if row.problem is None)


def _tell_refusals(stage: Stage, source: Source, summary: Summary, reports: Path) -> None:
    """Tell each reason once, with how often it stood; all of them are in a file."""
    if not summary.refusals:
        return
    path = reports / f"{Path(source.file).stem}.refused.csv"
    _write(path, summary.refusals)
    for code, count in Counter(refusal.code for refusal in summary.refusals).most_common():
        first = next(refusal for refusal in summary.refusals if refusal.code == code)
        stage.tell.say(
            f"{source.file}：{count} 行 {code}，如第 {first.line} 行：{first.text_zh}；全部见 {path}",
            f"{source.file}: {count} rows {code}, such as line {first.line}: {first.text_en}; all: {path}",
            "yellow",
        )


def _write(path: Path, refusals: list[Refusal]) -> None:
    """Write every refusal as CSV, with the byte order mark that Excel needs for Chinese."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows([readers.harmless(str(cell)) for cell in astuple(r)] for r in refusals)
