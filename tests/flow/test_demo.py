"""The demonstration, started twice on one folder: what it shows first, and what it keeps."""

import asyncio
import csv
import io
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.demo import first
from app.demo import starting as demo
from app.demo.clock import StoryClock
from app.demo.lives.funding import AWARD, CALL
from app.demo.lives.platforms import INSTITUTE, LABORATORY
from app.demo.lives.technologies import BEARING
from app.demo.stage import Stopped
from app.demo.telling import Teller
from app.serve import now
from app.settings import Settings
from kernel.dates import ONE_DAY, business_date
from luoshu.client import Client, connect
from luoshu.funding.v1 import funding_pb2
from luoshu.platforms.v1 import platforms_pb2
from luoshu.reports.v1 import reports_pb2
from luoshu.technologies.v1 import technologies_pb2

READY = "Ctrl-C to stop"
PATIENCE = 180.0  # seconds after which a start surely hangs
SUM = re.compile(r"✓ .*?([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+)\n")


@dataclass
class Start:
    """What one start said, and what the server answered when it was ready."""

    said: str
    seconds: float
    platforms: dict[str, Any]
    award: Any
    call: Any
    breakthrough: Any
    targets: dict[str, int]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


ADDRESSES = ("LISTEN", "METRICS_LISTEN", "AUDIT_HTTP_LISTEN")


def settings_at(folder: Path) -> Settings:
    addresses = {n: f"127.0.0.1:{free_port()}" for n in ADDRESSES}
    return demo.settings_of({}, DATA_DIR=str(folder), **addresses)


async def started(folder: Path) -> Start:
    """Start as `make run` does, ask when it is ready, stop it."""
    settings, out, stop = settings_at(folder), io.StringIO(), asyncio.Event()
    tell, begun = Teller(Console(file=out, highlight=False)), time.monotonic()
    running = asyncio.create_task(demo.run(settings, tell, stop))
    while READY not in out.getvalue() and not running.done():
        assert time.monotonic() - begun < PATIENCE, out.getvalue()
        await asyncio.sleep(0.05)
    if running.done():
        running.result()
    seconds = time.monotonic() - begun
    answers = await asyncio.to_thread(asked, settings["LISTEN"])
    stop.set()
    await running
    return Start(out.getvalue(), seconds, *answers)


def asked(address: str) -> tuple[Any, ...]:
    with connect(address, department="DIIT", actor="test", roles=["auditor"]) as client:
        names = (LABORATORY, INSTITUTE, "platforms/shennong-seed-laboratory")
        get = platforms_pb2.GetPlatformRequest
        return (
            {name: client.platforms.GetPlatform(get(name=name)) for name in names},
            client.funding.GetApplication(funding_pb2.GetApplicationRequest(name=AWARD)),
            client.funding.GetCall(funding_pb2.GetCallRequest(name=CALL)),
            client.technologies.GetBreakthrough(
                technologies_pb2.GetBreakthroughRequest(name=BEARING)
            ),
            counted(client),
        )


def counted(client: Client) -> dict[str, int]:
    board = client.reports.GetBoard(reports_pb2.GetBoardRequest())
    targets = (target for plan in board.plans for target in plan.targets)
    return {target.id: target.counted for target in targets if target.HasField("counted")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "var"


@pytest.fixture(scope="module")
def starts(folder: Path) -> tuple[Start, Start]:
    """Both starts, once for all tests: they take some ten seconds."""
    folder.mkdir()
    return asyncio.run(started(folder)), asyncio.run(started(folder))


def test_a_first_start_ends(starts: tuple[Start, Start]) -> None:
    assert starts[0].seconds < PATIENCE


def test_every_file_of_the_sample_sums_up(starts: tuple[Start, Start]) -> None:
    sums = [[int(n.replace(",", "")) for n in found] for found in SUM.findall(starts[0].said)]
    assert [rows for rows, *_ in sums] == [925, 18, 1056, 15]
    assert all(rows == sum(parts) for rows, *parts in sums)


def test_every_refused_row_is_explained_in_a_file(
    starts: tuple[Start, Start], folder: Path
) -> None:
    refused = [int(found[3]) for found in SUM.findall(starts[0].said)]
    explained = sum(len(_lines(path)) for path in folder.glob("imports/*.refused.csv"))
    assert explained == sum(refused)


def _lines(path: Path) -> set[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["line 行"] for row in csv.DictReader(file)}


def test_the_laboratory_is_recognised_with_an_official_number(
    starts: tuple[Start, Start],
) -> None:
    laboratory = starts[0].platforms[LABORATORY]
    assert laboratory.state == laboratory.STATE_UNDER_CONSTRUCTION
    year = laboratory.recognition_date.year
    assert laboratory.official_number == f"豫-KL-{year}-0001"


def test_the_institute_went_through_joint_review_and_an_objection(
    starts: tuple[Start, Start],
) -> None:
    institute = starts[0].platforms[INSTITUTE]
    assert institute.state == institute.STATE_OPERATING
    assert [o.department for o in institute.joint_review.opinions] == ["FINANCE"]
    assert [o.upheld for o in institute.public_notice.objections] == [False]


def test_the_breakthrough_reaches_its_target(starts: tuple[Start, Start]) -> None:
    found = starts[0].breakthrough
    assert (found.state, found.target_reached) == (found.STATE_BROKEN_THROUGH, found.TARGET_REACHED)


def test_the_award_is_paid_in_part_after_three_departments_agreed(
    starts: tuple[Start, Start],
) -> None:
    award = starts[0].award
    assert list(award.joint_review.departments) == ["DRC", "DST", "FINANCE"]
    assert award.joint_review.outcome == funding_pb2.JOINT_REVIEW_OUTCOME_AGREED
    assert (award.paid_fen, award.approved_fen) == (240_0000_00, 600_0000_00)


def test_real_platforms_stand_in_their_real_state_with_a_source(
    starts: tuple[Start, Start],
) -> None:
    real = starts[0].platforms["platforms/shennong-seed-laboratory"]
    assert real.state == real.STATE_OPERATING
    assert real.origin.foreign_id.startswith("http")


def test_what_must_be_refused_is_refused_in_both_languages(starts: tuple[Start, Start]) -> None:
    said = starts[0].said
    assert "the notice runs to the end of" in said
    assert "可执行：resolve_objection" in said
    assert said.count("✗") == 4


def test_the_report_is_written_in_every_form_and_language(
    starts: tuple[Start, Start], folder: Path
) -> None:
    month = f"{business_date(now()).replace(day=1) - ONE_DAY:%Y-%m}"
    forms = {"json", "zh.html", "en.html", "zh.xlsx", "en.xlsx"}
    assert {path.name for path in (folder / "reports").iterdir()} == {f"{month}.{f}" for f in forms}


def test_the_targets_count_what_the_story_did_and_nothing_older(
    starts: tuple[Start, Start],
) -> None:
    assert starts[0].targets == {"T3": 2, "T4": 1}


def test_the_audit_is_verified_at_both_starts(starts: tuple[Start, Start]) -> None:
    assert all("entries are what was signed" in start.said for start in starts)


def test_a_second_start_tells_no_story_and_keeps_every_record(starts: tuple[Start, Start]) -> None:
    before, after = starts
    assert "The data are there" in after.said
    assert "✗" not in after.said
    assert after.platforms == before.platforms
    assert (after.award, after.call) == (before.award, before.call)


async def test_a_stopped_first_start_leaves_nothing_that_counts_as_data(tmp_path: Path) -> None:
    tell, today = Teller(Console(file=io.StringIO())), business_date(now())
    with pytest.raises(Stopped):
        await first.build(settings_at(tmp_path), tell, today, lambda: True)
    assert first.is_first(tmp_path)
    assert not any(tmp_path.glob("*"))  # noqa: ASYNC240


def test_a_first_start_that_ended_while_its_files_were_moved_is_gone_on_with(
    tmp_path: Path,
) -> None:
    building = tmp_path / first.BUILDING
    building.mkdir()
    (building / "platforms.sqlite3").touch()
    (building / first.COMPLETE).touch()
    assert not first.is_first(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["platforms.sqlite3"]


def test_a_taken_address_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "var"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        settings = demo.settings_of({}, DATA_DIR=str(folder), LISTEN=address)
        assert demo.start(settings) == demo.TAKEN
    assert address in capsys.readouterr().out
    assert not folder.exists()


def test_the_story_clock_never_goes_back() -> None:
    today = business_date(now())
    clock = StoryClock(today)
    before = clock().ToNanoseconds()
    clock.go_to(today - ONE_DAY)
    assert clock().ToNanoseconds() >= before
    clock.go_to(today + ONE_DAY)
    assert clock.today == today + ONE_DAY
