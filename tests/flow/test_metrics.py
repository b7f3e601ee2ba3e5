"""What /metrics says, read over HTTP: each figure is moved by what it is a figure of."""

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa

from app.catalogue import NAMES
from kernel import database
from kernel.dates import to_date
from luoshu.coordination.v1 import coordination_pb2 as coordination
from tests.flow.province import (
    APPLICANT,
    AUDITOR,
    FINANCE,
    IMPORTER,
    Funding,
    messages,
    platform,
    today,
)
from tests.flow.separate import MOVED, Separate, addresses, until
from tests.running import NOBODY

DEPUTY = replace(FINANCE, actor="finance-deputy")
"""Who answers for Finance, by the pack, once it has been silent past its day."""
PLATFORM_CALL = 'grpc_service="luoshu.platforms.v1.PlatformService"'


@dataclass(frozen=True)
class Page:
    """What a process says of itself."""

    process: Separate

    def __getitem__(self, sample: str) -> float:
        """Return a sample's value as it is told now; 0 while it is not told."""
        return self.process.metrics().get(sample, 0.0)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """All services in one process, whose clock is moved."""
    process = Separate(NAMES, tmp_path_factory.mktemp("metrics"), addresses(NAMES), MOVED)
    process.move_clock(0)
    with process:
        yield Page(process)


def test_a_call_is_counted_by_its_code_and_its_time_is_measured(page: Page) -> None:
    method = f'grpc_method="CreatePlatform",{PLATFORM_CALL},grpc_type="unary"'
    ok = f'grpc_server_handled_total{{grpc_code="OK",{method}}}'
    invalid = f'grpc_server_handled_total{{grpc_code="INVALID_ARGUMENT",{method}}}'
    seconds = f"grpc_server_handling_seconds_sum{{{method}}}"
    count = f"grpc_server_handling_seconds_count{{{method}}}"
    before = [page[sample] for sample in (ok, invalid, seconds, count)]
    page.process.call("CreatePlatform", APPLICANT, platform=platform())
    with pytest.raises(grpc.RpcError):
        page.process.call("CreatePlatform", APPLICANT, platform=platform(title=""))
    assert page[ok] == before[0] + 1
    assert page[invalid] == before[1] + 1
    assert page[seconds] > before[2]
    assert page[count] == before[3] + 2


def test_the_journals_position_and_the_commits_size_follow_the_writes(page: Page) -> None:
    position = 'luoshu_journal_position{source="platforms"}'
    count, commands = (
        f'luoshu_batch_size_commands_{what}{{source="platforms"}}' for what in ("count", "sum")
    )
    before = page[position], page[count], page[commands]
    page.process.feed("ImportPlatforms", IMPORTER, messages(600, 300))
    ((head,),) = page.process.rows("SELECT position FROM journal_head", "platforms")
    until(lambda: page[position] == before[0] + 600 == head, "the position to show")
    assert page[commands] == before[2] + 600
    assert 1 <= page[count] - before[1] <= 2


def test_a_call_without_identity_is_counted_as_refused(page: Page) -> None:
    refused = 'luoshu_requests_refused_total{reason="identity"}'
    before = page[refused]
    with pytest.raises(grpc.RpcError):
        page.process.call("GetPlatform", NOBODY, name="platforms/any")
    assert page[refused] == before + 1


def test_a_consumer_that_is_held_back_shows_its_lag_until_it_has_caught_up(page: Page) -> None:
    lag = 'luoshu_consumer_lag_events{consumer="audit",source="platforms"}'
    until(lambda: page[lag] == 0, "audit to catch up")
    engine = database.writing(page.process.database("audit"))
    with engine.connect() as tx:
        tx.execute(sa.text("SELECT 1"))  # its transaction holds the audit's database
        for n in range(7):
            page.process.call("CreatePlatform", APPLICANT, platform=platform(f"held back {n}"))
        until(lambda: page[lag] == 7, "the lag to show")
    engine.dispose()
    until(lambda: page[lag] == 0, "the lag to go")


def test_an_opinion_is_overdue_from_the_day_after_its_due_date_until_it_is_given(
    page: Page,
) -> None:
    overdue = "luoshu_deadline_overdue_count"
    start = today()
    applying = Funding(page.process.call, start).furnish()
    draft = applying.draft()
    applying.open_joint_review(draft)
    review = until(lambda: opened(page, draft), "the review")
    due = to_date(review.due_date)
    assert due is not None
    page.process.move_clock((due - start).days)
    until(lambda: tick_of(page) == due, "the due date to begin")
    for _ in range(20):  # more than a round of counting
        assert page[overdue] == 0
        time.sleep(0.1)
    page.process.move_clock((due - start).days + 1)
    until(lambda: page[overdue] == 1, "it to be overdue")
    until(lambda: deputies(page, draft), "the deputy to be asked")
    agree = {"verdict": coordination.VERDICT_AGREE}
    page.process.call("OpineReview", DEPUTY, name=review.name, **agree)
    until(lambda: page[overdue] == 0, "it to be answered")


def opened(page: Page, application: str) -> coordination.Review | None:
    asked = {"filter": f'application = "{application}"'}
    reviews = page.process.call("ListReviews", FINANCE, **asked).reviews
    return reviews[0] if reviews else None


def deputies(page: Page, application: str) -> list[str]:
    """Return who may answer instead of a department by now."""
    review = opened(page, application)
    return [opinion.deputy for opinion in review.opinions if opinion.deputy] if review else []


def tick_of(page: Page) -> datetime.date | None:
    """Return the last day that coordination's journal told; the count of overdue opinions comes with it."""
    sql = "SELECT effective_date FROM journal WHERE record = 'clock' ORDER BY position DESC LIMIT 1"
    rows = page.process.rows(sql, "coordination")
    return datetime.date.fromisoformat(rows[0][0]) if rows else None


def test_a_watcher_is_counted_while_it_watches(page: Page) -> None:
    watchers = 'luoshu_watchers_count{collection="platforms"}'
    before = page[watchers]
    stream = page.process.watch("WatchPlatforms", AUDITOR)
    next(stream)
    assert page[watchers] == before + 1
    stream.cancel()
    until(lambda: page[watchers] == before, "the watcher to be gone")


@pytest.mark.parametrize(("setting", "shown"), [("on", 1.0), ("off", 0.0)])
def test_a_process_that_believes_everybody_says_so(
    tmp_path: Path, setting: str, shown: float
) -> None:
    environment = {**addresses(["platforms"]), "LUOSHU_DEVELOPMENT_IDENTITY": setting}
    with Separate(("platforms",), tmp_path, environment) as process:
        assert process.metrics()["luoshu_development_identity"] == shown
