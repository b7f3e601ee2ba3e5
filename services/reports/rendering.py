"""A report as a file: the same report gives the same bytes."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.charts import bars, progress
from services.reports.document import digest_of
from services.reports.glance import glance, unclassified
from services.reports.layouts import COLLECTIONS, Words
from services.reports.reading import Kept
from services.reports.texts import BASES, STANDINGS, Language
from services.reports.workbook import workbook

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = (
    ("platforms", COLLECTIONS["platforms"]),
    ("breakthroughs", COLLECTIONS["breakthroughs"]),
    ("applications", COLLECTIONS["applications"]),
    ("money", Words("Money", "资金")),
    ("programmes", COLLECTIONS["programmes"]),
    ("calls", COLLECTIONS["calls"]),
    ("reviews", COLLECTIONS["reviews"]),
)
"""The page's sections: which tables' ids begin so, and what it is called."""

MEDIA = {
    pb.FORMAT_JSON: ("json", "application/json"),
    pb.FORMAT_HTML: ("html", "text/html; charset=utf-8"),
    pb.FORMAT_XLSX: ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


def rendered(kept: Kept, form: int, language: str) -> pb.RenderedReport:
    """Return the report as a file. `form`: of pb.Format, JSON where not said."""
    form = form or pb.FORMAT_JSON
    ending, media_type = MEDIA[pb.Format.ValueType(form)]
    content = _content(kept, form, Language(language))
    report = kept.report
    edition = f"edition-{report.edition}" if report.edition else "provisional"
    spoken = "" if form == pb.FORMAT_JSON else f"-{language}"
    return pb.RenderedReport(
        name=report.name,
        edition=report.edition,
        content=content,
        media_type=media_type,
        file_name=f"luoshu-{report.period}-{edition}{spoken}.{ending}",
        digest=digest_of(content),
    )


def _content(kept: Kept, form: int, language: Language) -> bytes:
    if form == pb.FORMAT_HTML:
        return page(kept.report, language).encode()
    if form == pb.FORMAT_XLSX:
        return workbook(kept.report, language)
    return kept.content


def page(report: pb.Report, language: Language) -> str:
    """Return the report as one HTML page that needs nothing else."""
    sections = [
        (key, title, [t for t in report.tables if t.id.startswith(f"{key}.")])
        for key, title in SECTIONS
    ]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            language=language,
            sections=[section for section in sections if any(t.rows for t in section[2])],
            glance=glance(report),
            unclassified=unclassified(report),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known: dict[str, Any] = {
        "bars": bars,
        "progress": progress,
        "bases": BASES,
        "standings": STANDINGS,
        "money_units": {pb.UNIT_FEN: "unit_money", pb.UNIT_MINOR: "unit_minor"},
        "closed": pb.STATUS_CLOSED,
        "fen": pb.UNIT_FEN,
    }
    environment.globals.update(known)
    return environment
