"""The reports, built anew from the journals beside the live ones while services run, and held to them byte by byte."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import rebuild
from app.catalogue import FOLLOWING, NAMES
from app.cli import cli
from app.cli.failures import Failure
from kernel.consumer import REST
from luoshu.journal.v1.journal_pb2 import AccessEvent
from tests.flow.province import APPLICANT, IMPORTER, Funding, messages, platform
from tests.flow.separate import until
from tests.running import MovableClock, Running
from tests.service.registry_suite import furnish

Rebuilt = Callable[..., Result]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All services with some history, and two months that are closed."""
    clock = MovableClock()
    started = Running(tmp_path_factory.mktemp("rebuild"), NAMES, clock).start()
    furnish(started)
    started.feed("ImportPlatforms", IMPORTER, messages(300, 100))
    for _ in range(2):
        started.call("CreatePlatform", APPLICANT, platform=platform("嵩山"))
        clock.move(days=32)
        until(lambda: caught_up(started), "the reports to catch up")
    Funding(started.call, clock.today)
    started.call("CreatePlatform", APPLICANT, platform=platform("黄河"))
    until(lambda: len(started.rows("reports", "SELECT * FROM edition")) >= 2, "two editions")
    until(lambda: caught_up(started), "the reports to catch up")
    yield started
    started.stop()


def caught_up(running: Running) -> bool:
    cursors = dict(running.rows("reports", "SELECT source, position FROM consumer_cursor"))  # type: ignore[arg-type]
    day = running.clock.today.isoformat()
    told = running.rows("reports", "SELECT source FROM watermark WHERE business_date = ?", day)
    return len(told) == 4 and all(running.head(source) == at for source, at in cursors.items())


@pytest.fixture
def rebuilt(running: Running, monkeypatch: pytest.MonkeyPatch) -> Rebuilt:
    monkeypatch.setenv("LUOSHU_DATA_DIR", str(running.folder))

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(cli, ["rebuild", "reports", *words], standalone_mode=False)

    return invoke


def test_the_live_reports_are_byte_for_byte_what_the_events_say(
    running: Running, rebuilt: Rebuilt
) -> None:
    done = rebuilt("--verify")
    assert (done.exception, done.return_value) == (None, 0), done.output
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 3]
    assert {table for table, count, *_ in rows if count not in ("rows", "0")} == {
        "consumer_cursor", "edition", "fact", "settled", "standing", "watermark",
    }  # fmt: skip
    assert all(live == anew for _, _, live, anew in rows[1:])
    assert len(rows[1][2]) == 64
    assert [path.name for path in running.folder.glob("rebuild-*")] == []


def test_a_row_that_was_changed_is_named_and_replaced(running: Running, rebuilt: Rebuilt) -> None:
    changed = "UPDATE fact SET title = 'x' WHERE source = 'platforms' AND position = 5"
    running.change("reports", changed)
    done = rebuilt("--verify")
    assert done.return_value == 5
    assert "fact platforms/0/5: title is 'x', rebuilt '" in done.stderr
    assert rebuilt().return_value == 0
    assert rebuilt("--verify").return_value == 0
    until(lambda: caught_up(running), "the reports to go on")
    told = "SELECT event FROM access_journal WHERE action = 'rebuilt' ORDER BY position"
    event = AccessEvent.FromString(running.rows("reports", told)[0][0])
    assert "title is 'x'" in event.access.details["fact"]
    assert list(event.change.roles) == ["operator"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("DELETE FROM fact WHERE source = 'platforms' AND position = 7", "fact platforms/0/7: missing in the live one"),
        ("UPDATE fact SET position = 7000 WHERE position = 7 AND source = 'platforms'", "fact platforms/0/7: missing"),
        ("INSERT INTO settled VALUES ('x', '2026-01-01')", "settled x: not in the one built anew"),
    ],
)  # fmt: skip
def test_a_row_too_few_or_too_many_is_named(
    running: Running, rebuilt: Rebuilt, spoil: str, said: str
) -> None:
    running.change("reports", spoil)
    done = rebuilt("--verify")
    assert (done.return_value, said in done.stderr) == (5, True), done.output
    assert rebuilt().return_value == 0


def test_a_published_edition_is_never_replaced_by_other_bytes(
    running: Running, rebuilt: Rebuilt
) -> None:
    ((content,),) = running.rows("reports", "SELECT content FROM edition WHERE period = '2026-03'")
    spoil = "UPDATE edition SET content = ? WHERE period = '2026-03'"
    running.change("reports", spoil, content + b" ")
    try:
        assert rebuilt("--verify").return_value == 5
        done = rebuilt()
        assert isinstance(done.exception, Failure)
        assert "edition 1 of 2026-03 was published" in done.exception.en
        ((kept,),) = running.rows("reports", "SELECT content FROM edition WHERE period = '2026-03'")
        assert kept == content + b" "
    finally:
        running.change("reports", spoil, content)


def test_writes_that_come_meanwhile_are_compared_too(
    running: Running, rebuilt: Rebuilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = rebuild.Rebuild.catch_up
    written = list[Path]()

    def slow(made: rebuild.Rebuild, *args: object) -> None:
        built(made, *args)  # type: ignore[arg-type]
        if not written:
            written.append(running.folder)
            running.call("CreatePlatform", APPLICANT, platform=platform("长江"))
            until(lambda: caught_up(running), "the reports to catch up")

    monkeypatch.setattr(rebuild.Rebuild, "catch_up", slow)
    assert rebuilt("--verify").return_value == 0
    assert written


def test_a_journal_that_lacks_what_the_reports_have_is_named(
    running: Running, rebuilt: Rebuilt
) -> None:
    running.change("reports", "UPDATE consumer_cursor SET position = position + 9 WHERE source = 'funding'")  # fmt: skip
    done = rebuilt("--verify")
    running.change("reports", "UPDATE consumer_cursor SET position = position - 9 WHERE source = 'funding'")  # fmt: skip
    assert isinstance(done.exception, Failure)
    assert "funding ends at position" in done.exception.en


def test_without_a_broker_there_is_no_topic(rebuilt: Rebuilt) -> None:
    done = rebuilt("--verify", "--from", "topic")
    assert isinstance(done.exception, Failure)
    assert "--from journal" in done.exception.en


def test_services_rest_between_two_looks_and_what_people_look_at_does_not(running: Running) -> None:
    rests = {f.sink.name: f.rest for f in running.process.followers}
    assert rests.pop("audit") == rests.pop("reports") == 0
    assert rests == dict.fromkeys(FOLLOWING, REST)
