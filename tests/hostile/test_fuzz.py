"""A small fuzzing of every RPC; `.ci/run` sends fifteen times as much."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue import NAMES
from luoshu.platforms.v1 import platforms_pb2
from tests.hostile import fuzz, wire
from tests.hostile.fuzz import Finding, Input, Outcome
from tests.hostile.malice import Malice
from tests.running import MovableClock, Running
from tests.service.registry_suite import APPLICANT, SAMPLES, furnish

CREATE = platforms_pb2.DESCRIPTOR.services_by_name["PlatformService"].methods_by_name[
    "CreatePlatform"
]


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Running]:
    """A process of its own: some of what is sent is accepted."""
    running = Running(tmp_path, NAMES, MovableClock()).start()
    furnish(running)
    yield running
    running.stop()


def test_whatever_comes_no_call_crashes_tells_of_the_program_or_leaves_rows_though_refused(
    victim: Running,
) -> None:
    figures, found = fuzz.attack(victim, fuzz.SIZES["quick"], seed=20260316)
    assert found == []
    assert figures["inputs"] == sum(fuzz.SIZES["quick"])
    assert len(figures["codes"]) >= 5


def test_a_row_of_a_refused_call_is_found(victim: Running) -> None:
    """The check can fail: here the caller is told that what was done was not."""
    known = fuzz.request_ids(victim)
    request = platforms_pb2.CreatePlatformRequest(platform=SAMPLES[0].draft(), request_id="mine")
    victim.ask("CreatePlatform", APPLICANT, request)
    new = fuzz.request_ids(victim) - known
    told = Input(CREATE, APPLICANT, request.SerializeToString())
    refused, done = (
        Outcome(told, "FAILED_PRECONDITION", wire.Status(9)),
        Outcome(told, "OK", wire.Status(0)),
    )
    assert list(fuzz.rows_of_refused(new, [refused])) == [
        Finding("a refused call left rows", "mine")
    ]
    assert list(fuzz.rows_of_refused(new, [done])) == []


def test_a_status_that_tells_of_the_program_is_found() -> None:
    told = Input(CREATE, APPLICANT, b"")
    outcomes = [
        Outcome(told, "INTERNAL", wire.Status(13)),
        Outcome(told, "no status: 101", wire.Status(101)),
        Outcome(told, "NOT_FOUND", wire.Status(5, "sqlite3.OperationalError")),
        Outcome(told, "NOT_FOUND", wire.Status(5, "no such record")),
    ]
    assert len(list(fuzz.findings(outcomes))) == 3


def test_the_same_seed_makes_the_same_input() -> None:
    first, second = (list(fuzz.inputs(Malice(3), fuzz.Size(200, 200, 0))) for _ in range(2))
    assert first == second
    assert len({one.method.full_name for one in first}) > 60
