"""The change stream: each change once, in order, from wherever a watcher left it, until the service stops."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.store import PLATFORMS
from tests import invariants
from tests.flow.province import APPLICANT, AUDITOR, IMPORTER, messages, platform
from tests.flow.separate import PATIENCE, Separate, addresses, until
from tests.running import Who

MANY = 10_000
STRANGER = Who("accounts/ma", "914403001922038216", ("applicant",))


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Separate]:
    folder = tmp_path_factory.mktemp("watch")
    with Separate(("platforms",), folder, addresses(["platforms"])) as service:
        until(lambda: head(service) == 1, "the day to be told")
        yield service


class Watcher:
    """Collects events in a thread of its own, until it has so many or is told to leave."""

    def __init__(self, service: Separate, after: int, count: int, **said: Any) -> None:
        self.events: list[pb.PlatformsEvent] = []
        self._count = count
        self._stream = service.watch("WatchPlatforms", AUDITOR, after_position=after, **said)
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        for event in self._stream:
            self.events.append(event)
            if len(self.events) == self._count:
                self._stream.cancel()
                return

    def all(self) -> list[pb.PlatformsEvent]:
        self._thread.join(PATIENCE)
        assert len(self.events) == self._count
        return self.events

    @property
    def last(self) -> int:
        return self.events[-1].change.position


def head(service: Separate) -> int:
    return int(service.rows("SELECT position FROM journal_head")[0][0])


def positions(events: list[pb.PlatformsEvent]) -> list[int]:
    return [event.change.position for event in events]


def test_a_watcher_sees_each_change_of_an_import_once_and_in_order(platforms: Separate) -> None:
    before = head(platforms)
    watcher = Watcher(platforms, before, MANY)
    platforms.feed("ImportPlatforms", IMPORTER, messages(MANY))
    events = watcher.all()
    assert positions(events) == list(range(before + 1, before + MANY + 1))
    assert [event.platform.origin.key for event in events] == [
        f"row-{n}" for n in range(1, MANY + 1)
    ]
    lines = invariants.demand_sound(platforms.database(), PLATFORMS).lines[before:]
    assert [event.SerializeToString() for event in events] == [line.event for line in lines]


def test_a_watcher_that_goes_on_from_its_last_position_misses_and_repeats_nothing(
    platforms: Separate,
) -> None:
    before = head(platforms)
    first = Watcher(platforms, before, 300)
    importing = threading.Thread(target=import_as, args=(platforms, "second", 2000))
    importing.start()
    first.all()
    second = Watcher(platforms, first.last, 700)
    second.all()
    third = Watcher(platforms, second.last, 1000)
    seen = positions(first.events) + positions(second.events) + positions(third.all())
    importing.join(PATIENCE)
    assert seen == list(range(before + 1, before + 2001))


def import_as(service: Separate, source: str, count: int) -> None:
    sent = list(messages(count))
    for message in sent:
        message.source = source
    service.feed("ImportPlatforms", IMPORTER, sent)


def test_a_list_and_a_watch_from_its_position_tell_everything_between_them(
    platforms: Separate,
) -> None:
    importing = threading.Thread(target=import_as, args=(platforms, "third", 2000))
    importing.start()
    asked = {"filter": 'title = "实验室 000500"', "page_size": 1000}
    listed = platforms.call("ListPlatforms", AUDITOR, **asked)
    importing.join(PATIENCE)
    end = head(platforms)
    found = {record.name for record in listed.platforms}
    if end > listed.position:
        watched = Watcher(platforms, listed.position, end - listed.position).all()
        found |= {e.platform.name for e in watched if e.platform.title == "实验室 000500"}
    everything = platforms.call("ListPlatforms", AUDITOR, **asked)
    assert found == {record.name for record in everything.platforms}


def test_a_watcher_of_one_record_sees_that_record_alone(platforms: Separate) -> None:
    created = platforms.call("CreatePlatform", APPLICANT, platform=platform("one of them"))
    platforms.call("CreatePlatform", APPLICANT, platform=platform("another"))
    watcher = Watcher(platforms, 0, 2, name=created.name)
    given = pb.Platform(name=created.name, title="renamed")
    platforms.call("UpdatePlatform", APPLICANT, platform=given, update_mask={"paths": ["title"]})
    assert [event.platform.title for event in watcher.all()] == ["one of them", "renamed"]


def test_a_watcher_without_rights_sees_nothing_of_a_draft(platforms: Separate) -> None:
    before = head(platforms)
    platforms.call("CreatePlatform", APPLICANT, platform=platform("a draft"))
    stream = platforms.watch("WatchPlatforms", STRANGER, timeout=1, after_position=before)
    with pytest.raises(grpc.RpcError) as ended:
        next(stream)
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_watchers_leave_promptly_when_the_service_stops(tmp_path: Path) -> None:
    with Separate(("platforms",), tmp_path, addresses(["platforms"])) as service:
        streams = [service.watch("WatchPlatforms", AUDITOR) for _ in range(5)]
        service.call("CreatePlatform", APPLICANT, platform=platform())
        for stream in streams:
            while next(stream).change.action != "create":
                pass
        assert service.process is not None
        began = time.monotonic()
        service.process.terminate()
        for stream in streams:
            assert list(stream) == []  # ends with OK: the service has nothing more to tell
        assert service.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 5.0, "it waited for the grace to pass"
