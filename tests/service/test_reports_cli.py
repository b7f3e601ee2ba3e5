"""`luoshu report`, answered by a real servicer without a network."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.cli.session import Session
from kernel.case import Caller, Role
from kernel.dates import from_date
from services.reports.servicer import ReportsServicer
from tests.service.reports_story import (
    Journals,
    application,
    applied,
    database,
    day,
    pack,
    platform,
)

OFFICER = Caller("accounts/officer", "DST", frozenset({Role.CASE_OFFICER}))


class Stub:
    """A client's stub whose calls are the servicer's own."""

    def __init__(self, servicer: ReportsServicer) -> None:
        self._servicer = servicer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._servicer, name)
        return lambda request, **_: asyncio.run(method(request, OFFICER))


@pytest.fixture
def luoshu(tmp_path: Path) -> Callable[..., Result]:
    """Run the command line over a month in two editions."""
    journals = Journals()
    journals.tick("2026-11-02")
    paid = application("x", requested_fen=1_234_567, approved_fen=100)
    journals.tell(paid, "approve", "2026-11-12", state="APPROVED")
    journals.tick("2026-12-01")
    late = platform("late", recognition_date=from_date(day("2026-11-28")))
    journals.tell(late, "recognize", "2026-12-03", state="RECOGNIZED", effective="2026-11-28")
    journals.tick("2026-12-09")
    servicer = ReportsServicer(applied(database(tmp_path), journals), pack())

    def run(*arguments: str) -> Result:
        client: Any = SimpleNamespace(reports=Stub(servicer), close=lambda: None)
        result = CliRunner().invoke(cli, ["report", *arguments], obj=Session(clients=[client]))
        assert result.exit_code == 0, result.output
        return result

    return run


def test_without_a_month_the_reports_are_listed(luoshu: Callable[..., Result]) -> None:
    lines = luoshu().output.splitlines()
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        ["reports/2026-12", "PROVISIONAL", "0"],
        ["reports/2026-11", "CLOSED", "1"],
        ["reports/2026-11", "CLOSED", "2"],
    ]


def test_a_report_is_printed_with_amounts_to_the_fen(luoshu: Callable[..., Result]) -> None:
    assert "1.234567\t0.0001" in luoshu("2026-11").output
    assert "12,345.67\t1.00" in luoshu("2026-11", "--language", "en").output


def test_differences_are_printed_with_their_events(luoshu: Callable[..., Result]) -> None:
    assert "0\t1\tplatforms 3" in luoshu("2026-11").output
    assert "差异" not in luoshu("2026-11", "--edition", "1").output


def test_the_board_shows_why_a_target_has_no_value(luoshu: Callable[..., Result]) -> None:
    lines = luoshu("2026-11", "--board").output.splitlines()
    cells = {line.split("\t")[0]: line.split("\t") for line in lines if "\t" in line}
    assert (cells["T3"][3], cells["T5"][3]) == ("1", "企业名录尚未建立")


def test_the_board_speaks_one_language(luoshu: Callable[..., Result]) -> None:
    en = luoshu("2026-11", "--board", "--language", "en").output
    zh = luoshu("2026-11", "--board").output
    assert "about 50 platforms" in en
    assert en.isascii() or not re.search("[\u4e00-\u9fff]", en)
    assert "50家左右" in zh
    assert "goal" not in zh


def test_json_on_paper_is_the_kept_edition(luoshu: Callable[..., Result], tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    luoshu("2026-11", "-o", "json", "--out", str(target))
    assert json.loads(target.read_bytes())["edition"] == 2


def test_the_file_s_ending_tells_the_format(luoshu: Callable[..., Result], tmp_path: Path) -> None:
    for name, begins in (("r.xlsx", b"PK"), ("r.json", b"{"), ("r.html", b"<!")):
        luoshu("2026-11", "--out", str(tmp_path / name))
        assert (tmp_path / name).read_bytes().lstrip().startswith(begins)


def test_a_page_goes_to_the_file_that_is_named(
    luoshu: Callable[..., Result], tmp_path: Path
) -> None:
    target = tmp_path / "report.html"
    luoshu("2026-11", "-o", "html", "--language", "en", "--out", str(target))
    assert "November 2026" in target.read_text("utf-8")
