"""The reports on the wire: who reads what, and files that stay the same."""

import datetime
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import protovalidate
import pytest
from google.protobuf import json_format
from openpyxl import load_workbook

from kernel.case import Caller, Role
from kernel.dates import from_date
from kernel.errors import Denied, Invalid, NotFound, Unauthenticated
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.document import figures_of, parsed
from services.reports.rendering import page
from services.reports.servicer import OFFICIALS, ReportsServicer
from services.reports.texts import Language
from tests.service.reports_story import (
    Journals,
    application,
    applied,
    breakthrough,
    database,
    day,
    pack,
    platform,
)

OFFICER = Caller("accounts/officer", "DST", frozenset({Role.CASE_OFFICER}))
APPLICANT = Caller("accounts/unit", "91410100MA0000000X", frozenset({Role.APPLICANT}))
NOBODY = Caller("accounts/nobody", "", frozenset())
NOVEMBER, DECEMBER = "reports/2026-11", "reports/2026-12"


@pytest.fixture
def servicer(tmp_path: Path) -> ReportsServicer:
    """November 2026 closed in two editions, December open."""
    journals = Journals()
    journals.tick("2026-11-02")
    for key in ("a", "b", "c"):
        one = platform(key, title=f"<{key}>", recognition_date=from_date(day("2026-11-10")))
        journals.tell(one, "recognize", "2026-11-10", state="RECOGNIZED")
    reached = breakthrough("t", completed=True, target_reached=1)
    reached.target_reached_date.CopyFrom(from_date(day("2026-11-12")))
    journals.tell(reached, "accept", "2026-11-12", state="BROKEN_THROUGH")
    paid = application("x", requested_fen=123_456_789, approved_fen=100_000_001, paid_fen=1)
    journals.tell(paid, "pay_instalment", "2026-11-12", state="IN_PROGRESS")
    journals.tick("2026-12-01")
    late = platform("late", recognition_date=from_date(day("2026-11-28")))
    journals.tell(late, "recognize", "2026-12-03", state="RECOGNIZED", effective="2026-11-28")
    journals.tick("2026-12-09")
    return ReportsServicer(applied(database(tmp_path), journals), pack())


async def rendered(servicer: ReportsServicer, **fields: Any) -> pb.RenderedReport:
    request = pb.RenderReportRequest(**({"name": NOVEMBER} | fields))
    return await servicer.RenderReport(request, OFFICER)


async def report(servicer: ReportsServicer, name: str, edition: int = 0) -> pb.Report:
    return await servicer.GetReport(pb.GetReportRequest(name=name, edition=edition), OFFICER)


async def test_the_newest_edition_is_given_unless_another_is_named(
    servicer: ReportsServicer,
) -> None:
    assert (await report(servicer, NOVEMBER)).edition == 2
    assert (await report(servicer, NOVEMBER, 1)).edition == 1


async def test_an_edition_that_was_never_made_is_not_found(servicer: ReportsServicer) -> None:
    for name, edition in ((NOVEMBER, 3), (DECEMBER, 1), ("reports/2026-10", 0)):
        with pytest.raises(NotFound):
            await report(servicer, name, edition)


async def test_a_month_after_the_newest_event_is_not_found(servicer: ReportsServicer) -> None:
    with pytest.raises(NotFound):
        await report(servicer, "reports/2027-01")


async def test_an_open_month_is_provisional_and_has_no_digest(servicer: ReportsServicer) -> None:
    found = await report(servicer, DECEMBER)
    assert (found.status, found.edition, found.digest) == (pb.STATUS_PROVISIONAL, 0, "")
    assert found.as_of.day == 9


async def test_an_open_month_follows_the_events(tmp_path: Path) -> None:
    journals = Journals()
    journals.tick("2026-11-02")
    engine = applied(database(tmp_path), journals)
    servicer = ReportsServicer(engine, pack())
    before = await report(servicer, NOVEMBER)
    journals.tell(platform("a"), "create", "2026-11-03", state="DRAFT")
    applied(engine, journals)
    after = await report(servicer, NOVEMBER)
    assert len(figures_of(after)) > len(figures_of(before))


async def test_a_report_answers_before_every_source_spoke(tmp_path: Path) -> None:
    journals = Journals()
    journals.tell(platform("a"), "create", "2026-11-03", state="DRAFT")
    engine = applied(database(tmp_path), journals, ["platforms"])
    found = await report(ReportsServicer(engine, pack()), NOVEMBER)
    assert found.status == pb.STATUS_PROVISIONAL


async def test_any_department_reads_a_closed_report(servicer: ReportsServicer) -> None:
    found = await servicer.GetReport(pb.GetReportRequest(name=NOVEMBER), APPLICANT)
    assert found.status == pb.STATUS_CLOSED


@pytest.mark.parametrize("role", list(Role))
async def test_an_open_month_takes_an_officials_role(servicer: ReportsServicer, role: Role) -> None:
    caller = Caller("accounts/one", "DST", frozenset({role}))
    request = pb.GetReportRequest(name=DECEMBER)
    if role in OFFICIALS:
        assert (await servicer.GetReport(request, caller)).period == "2026-12"
    else:
        with pytest.raises(Denied):
            await servicer.GetReport(request, caller)


async def test_who_belongs_to_no_department_reads_nothing(servicer: ReportsServicer) -> None:
    for call in (
        servicer.GetReport(pb.GetReportRequest(name=NOVEMBER), NOBODY),
        servicer.ListReports(pb.ListReportsRequest(), NOBODY),
        servicer.GetBoard(pb.GetBoardRequest(), NOBODY),
        servicer.RenderReport(pb.RenderReportRequest(name=NOVEMBER), NOBODY),
    ):
        with pytest.raises(Unauthenticated):
            await call


async def test_the_list_tells_months_and_editions_page_by_page(servicer: ReportsServicer) -> None:
    first = await servicer.ListReports(pb.ListReportsRequest(page_size=1), APPLICANT)
    assert [(r.name, r.status) for r in first.reports] == [(DECEMBER, pb.STATUS_PROVISIONAL)]
    token = first.next_page_token
    rest = await servicer.ListReports(pb.ListReportsRequest(page_token=token), APPLICANT)
    (november,) = rest.reports
    assert [e.edition for e in november.editions] == [1, 2]
    assert november.editions[1].difference_count > 0
    assert rest.next_page_token == ""


async def test_a_made_up_page_token_is_refused(servicer: ReportsServicer) -> None:
    with pytest.raises(Invalid):
        await servicer.ListReports(pb.ListReportsRequest(page_token="zzz"), OFFICER)
    figure = pb.FigureKey(table="platforms.state", row="STATE_RECOGNIZED", column="standing")
    request = pb.ListCountedRecordsRequest(report=NOVEMBER, figure=figure, page_token="zzz")
    with pytest.raises(Invalid):
        await servicer.ListCountedRecords(request, OFFICER)


async def test_the_board_is_of_the_newest_closed_month_unless_one_is_named(
    servicer: ReportsServicer,
) -> None:
    board = await servicer.GetBoard(pb.GetBoardRequest(), APPLICANT)
    assert (board.report, board.edition, len(board.plans)) == (NOVEMBER, 2, 2)
    one = pb.GetBoardRequest(report=DECEMBER, plan="henan-2025-38")
    (plan,) = (await servicer.GetBoard(one, OFFICER)).plans
    assert [t.id for t in plan.targets] == [f"T{n}" for n in range(1, 9)]


async def test_every_number_has_the_records_behind_it(servicer: ReportsServicer) -> None:
    found = await report(servicer, NOVEMBER)
    fen = {(t.id, c.key) for t in found.tables for c in t.columns if c.unit != pb.UNIT_COUNT}
    for (table, row, column), value in figures_of(found).items():
        if (table, column) in fen or value < 0:
            continue
        figure = pb.FigureKey(table=table, row=row, column=column)
        request = pb.ListCountedRecordsRequest(report=NOVEMBER, figure=figure, page_size=1000)
        answer = await servicer.ListCountedRecords(request, OFFICER)
        assert len(answer.records) == value, figure


async def test_the_records_behind_a_number_come_in_pages(servicer: ReportsServicer) -> None:
    figure = pb.FigureKey(table="platforms.state", row="STATE_RECOGNIZED", column="standing")
    names: list[str] = []
    token = ""
    while not names or token:
        request = pb.ListCountedRecordsRequest(
            report=NOVEMBER, figure=figure, page_size=2, page_token=token
        )
        answer = await servicer.ListCountedRecords(request, OFFICER)
        names += [record.record for record in answer.records]
        token = answer.next_page_token
    assert names == [f"platforms/{key}" for key in ("a", "b", "c", "late")]


async def test_the_records_behind_a_number_are_not_for_applicants(
    servicer: ReportsServicer,
) -> None:
    figure = pb.FigureKey(table="platforms.state", row="STATE_RECOGNIZED", column="standing")
    request = pb.ListCountedRecordsRequest(report=NOVEMBER, figure=figure)
    with pytest.raises(Denied):
        await servicer.ListCountedRecords(request, APPLICANT)


@pytest.mark.parametrize(
    "key",
    [("platforms.state", "x", "nothing"), ("weather", "x", "y"), ("board.x", "T3", "counted")],
)
async def test_a_figure_that_no_report_has_is_not_found(
    servicer: ReportsServicer, key: tuple[str, str, str]
) -> None:
    table, row, column = key
    figure = pb.FigureKey(table=table, row=row, column=column)
    request = pb.ListCountedRecordsRequest(report=NOVEMBER, figure=figure)
    with pytest.raises(NotFound):
        await servicer.ListCountedRecords(request, OFFICER)


async def test_the_json_is_the_kept_edition_and_its_digest_is_the_reports(
    servicer: ReportsServicer,
) -> None:
    file = await rendered(servicer)
    kept = await report(servicer, NOVEMBER)
    assert hashlib.sha256(file.content).hexdigest() == file.digest == kept.digest
    assert file.media_type == "application/json"
    content = json.loads(file.content)
    assert "digest" not in content
    written = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert file.content == written.encode() + b"\n"
    assert figures_of(parsed(file.content)) == figures_of(kept)


@pytest.mark.parametrize("form", [pb.FORMAT_JSON, pb.FORMAT_HTML, pb.FORMAT_XLSX])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_report_rendered_twice_is_the_same_file(
    servicer: ReportsServicer, form: pb.Format.ValueType, language: str
) -> None:
    once = await rendered(servicer, format=form, language=language)
    again = await rendered(servicer, format=form, language=language)
    assert once == again
    assert once.digest == hashlib.sha256(once.content).hexdigest()


async def test_the_page_needs_nothing_else_and_runs_nothing(servicer: ReportsServicer) -> None:
    page = (await rendered(servicer, format=pb.FORMAT_HTML)).content.decode()
    assert re.findall(r"(?:src|href|@import|url\()", page) == []
    assert "<script" not in page


async def test_a_title_cannot_bring_markup_into_the_page(servicer: ReportsServicer) -> None:
    page = (await rendered(servicer, format=pb.FORMAT_HTML)).content.decode()
    assert "&lt;a&gt;" in page
    assert "<a>" not in page


async def test_the_page_speaks_the_language_that_was_asked_for(servicer: ReportsServicer) -> None:
    zh = (await rendered(servicer, format=pb.FORMAT_HTML)).content.decode()
    en = (await rendered(servicer, format=pb.FORMAT_HTML, language="en")).content.decode()
    for text in ("2026年11月", "目标看板", "尚未计数", "50家左右", "123.456789", "第2版"):
        assert text in zh
    for text in ("November 2026", "not counted yet", "about 50 platforms", "1,234,567.89"):
        assert text in en


async def test_a_provisional_page_says_so(servicer: ReportsServicer) -> None:
    file = await rendered(servicer, name=DECEMBER, format=pb.FORMAT_HTML, language="en")
    assert "can still change" in file.content.decode()
    assert file.file_name == "luoshu-2026-12-provisional-en.html"


async def test_the_workbook_has_the_same_numbers(servicer: ReportsServicer) -> None:
    file = await rendered(servicer, format=pb.FORMAT_XLSX, language="en")
    book = load_workbook(io.BytesIO(file.content))
    rows = list(book["Platforms by state"].iter_rows(values_only=True))
    assert rows[1:] == [("Recognised", 4, 4), ("Total", 4, 4)]
    money = list(book["Money by lead department (CNY)"].iter_rows(values_only=True))
    assert money[1][1:4] == (1234567.89, 1000000.01, 0.01)
    assert money[0][1] == "Requested, month (CNY)"


async def test_the_workbook_begins_with_the_numbers_of_the_page(servicer: ReportsServicer) -> None:
    file = await rendered(servicer, format=pb.FORMAT_XLSX, language="en")
    book = load_workbook(io.BytesIO(file.content))
    told = {row[0]: row[1] for row in book["At a glance"].iter_rows(values_only=True) if row[0]}
    assert told["Status"] == "Edition 2 · Closed"
    assert told["approved in the month (CNY)"] == 1000000.01
    html = (await rendered(servicer, format=pb.FORMAT_HTML, language="en")).content.decode()
    assert "<b>1,000,000.01</b><span>approved in the month (CNY)</span>" in html


async def test_days_and_forecasts_of_the_workbook_can_be_counted_with(
    servicer: ReportsServicer,
) -> None:
    file = await rendered(servicer, format=pb.FORMAT_XLSX, language="en")
    book = load_workbook(io.BytesIO(file.content))
    assert isinstance(book["Records counted"]["D2"].value, datetime.datetime)
    targets = {row[0]: row for row in book["Targets"].iter_rows(values_only=True)}
    (counted,) = (row for name, row in targets.items() if name and name.startswith("T3"))
    assert isinstance(counted[3], int)


async def test_an_amounts_unit_stands_once_in_a_tables_title(servicer: ReportsServicer) -> None:
    page = (await rendered(servicer, format=pb.FORMAT_HTML, language="en")).content.decode()
    assert "<figcaption>Money by lead department (CNY)</figcaption>" in page


async def test_the_page_says_which_platforms_its_first_number_leaves_out(
    servicer: ReportsServicer,
) -> None:
    kept = (await rendered(servicer)).content
    report = json_format.Parse(kept, pb.Report())
    table = next(table for table in report.tables if table.id == "platforms.kind")
    table.rows.add(key="unclassified", values=[7] * len(table.columns))
    assert "without the 7 imported ones" in page(report, Language("en"))
    assert "未计入7家类型未知" in page(report, Language("zh"))


async def test_the_workbook_says_nothing_of_when_it_was_written(servicer: ReportsServicer) -> None:
    file = await rendered(servicer, format=pb.FORMAT_XLSX)
    with ZipFile(io.BytesIO(file.content)) as parts:
        assert {entry.date_time[0] for entry in parts.infolist()} == {1980}
        core = parts.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\d", core)) == {"2026-12-03"}


@pytest.mark.parametrize("name", ["reports/2026-13", "reports/26-11", "platforms/2026-11", ""])
def test_the_contract_refuses_what_is_no_month(name: str) -> None:
    with pytest.raises(protovalidate.ValidationError):
        protovalidate.validate(pb.GetReportRequest(name=name))
