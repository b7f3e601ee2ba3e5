"""What /metrics says, read over HTTP: each figure is moved by what it is a figure of."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from prometheus_client import start_http_server

from app.catalogue import NAMES
from kernel import database, metrics
from kernel.dates import to_date
from luoshu.coordination.v1 import coordination_pb2 as coordination
from tests.flow.province import APPLICANT, AUDITOR, FINANCE, IMPORTER, Funding, messages, platform
from tests.flow.separate import Separate, addresses, scraped, until
from tests.running import NOBODY, MovableClock, Running

PLATFORM_CALL = 'grpc_service="luoshu.platforms.v1.PlatformService"'


class Page:
    """A process of all services whose clock is moved, and its page."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovableClock()
        self.running = Running(folder, NAMES, self.clock).start()
        self._server, self._thread = start_http_server(0, "127.0.0.1", metrics.REGISTRY)

    def __getitem__(self, sample: str) -> float:
        """Return a sample's value as it is told now; 0 while it is not told."""
        return scraped(f"127.0.0.1:{self._server.server_port}").get(sample, 0.0)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.running.stop()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(tmp_path_factory.mktemp("metrics"))
    yield page
    page.stop()


def test_a_call_is_counted_by_its_code_and_its_time_is_measured(page: Page) -> None:
    method = f'grpc_method="CreatePlatform",{PLATFORM_CALL},grpc_type="unary"'
    ok = f'grpc_server_handled_total{{grpc_code="OK",{method}}}'
    invalid = f'grpc_server_handled_total{{grpc_code="INVALID_ARGUMENT",{method}}}'
    seconds = f"grpc_server_handling_seconds_sum{{{method}}}"
    count = f"grpc_server_handling_seconds_count{{{method}}}"
    before = [page[sample] for sample in (ok, invalid, seconds, count)]
    page.running.call("CreatePlatform", APPLICANT, platform=platform())
    with pytest.raises(grpc.RpcError):
        page.running.call("CreatePlatform", APPLICANT, platform=platform(title=""))
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
    page.running.feed("ImportPlatforms", IMPORTER, messages(600, 300))
    assert page[position] == before[0] + 600 == page.running.head("platforms")
    assert page[commands] == before[2] + 600
    assert 1 <= page[count] - before[1] <= 2


def test_a_call_without_identity_is_counted_as_refused(page: Page) -> None:
    refused = 'luoshu_requests_refused_total{reason="identity"}'
    before = page[refused]
    with pytest.raises(grpc.RpcError):
        page.running.call("GetPlatform", NOBODY, name="platforms/any")
    assert page[refused] == before + 1


def test_a_consumer_that_is_held_back_shows_its_lag_until_it_has_caught_up(page: Page) -> None:
    lag = 'luoshu_consumer_lag_events{consumer="audit",source="platforms"}'
    until(lambda: page[lag] == 0, "audit to catch up")
    engine = database.writing(f"sqlite:///{page.running.folder / 'audit.sqlite3'}")
    with engine.connect() as tx:
        tx.execute(sa.text("SELECT 1"))  # its transaction holds the audit's database
        for n in range(7):
            page.running.call("CreatePlatform", APPLICANT, platform=platform(f"held back {n}"))
        until(lambda: page[lag] == 7, "the lag to show")
    engine.dispose()
    until(lambda: page[lag] == 0, "the lag to go")


def test_an_opinion_is_overdue_from_the_day_after_its_due_date_until_it_is_given(
    page: Page,
) -> None:
    overdue = "luoshu_deadline_overdue_count"
    applying = Funding(page.running.call, page.clock.today).furnish()
    draft = applying.draft()
    applying.open_joint_review(draft)
    review = until(lambda: opened(page, draft), "the review")
    due = to_date(review.due_date)
    assert due is not None
    page.clock.move(days=(due - page.clock.today).days)
    until(lambda: tick_of(page) == due, "the due date to begin")
    assert page[overdue] == 0
    page.clock.move(days=1)
    until(lambda: page[overdue] == 1, "it to be overdue")
    agree = {"verdict": coordination.VERDICT_AGREE}
    page.running.call("OpineReview", FINANCE, name=review.name, **agree)
    until(lambda: page[overdue] == 0, "it to be answered")


def opened(page: Page, application: str) -> coordination.Review | None:
    asked = {"filter": f'application = "{application}"'}
    reviews = page.running.call("ListReviews", FINANCE, **asked).reviews
    return reviews[0] if reviews else None


def tick_of(page: Page) -> datetime.date:
    """Return the last day that coordination's journal told; the count of overdue opinions comes with it."""
    sql = "SELECT effective_date FROM journal WHERE record = 'clock' ORDER BY position DESC LIMIT 1"
    return datetime.date.fromisoformat(page.running.rows("coordination", sql)[0][0])


def test_a_watcher_is_counted_while_it_watches(page: Page) -> None:
    watchers = 'luoshu_watchers_count{collection="platforms"}'
    before = page[watchers]
    stream = page.running.watch("WatchPlatforms", AUDITOR)
    next(stream)
    assert page[watchers] == before + 1
    stream.cancel()
    until(lambda: page[watchers] == before, "the watcher to be gone")


@pytest.mark.parametrize(("setting", "shown"), [("on", 1.0), ("off", 0.0)])
def test_a_process_that_believes_everybody_says_so(
    tmp_path: Path, setting: str, shown: float
) -> None:
    environment = {**addresses(["platforms"]), "LUOSHU_DEVELOPMENT_IDENTITY": setting}
    process = Separate(("platforms",), tmp_path, environment).start()
    try:
        assert process.metrics()["luoshu_development_identity"] == shown
    finally:
        assert process.stop() == 0
