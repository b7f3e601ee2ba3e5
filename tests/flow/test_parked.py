"""An operator's way with an event that a service cannot apply, by the command line and over gRPC."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.catalogue import FOLLOWING, NAMES
from app.cli import cli
from kernel import consumer
from kernel.consumer import Reaction
from kernel.decide import CLOCK
from kernel.parking import record_of
from luoshu.journal.v1.journal_pb2 import JournalEntry
from tests.flow.province import APPLICANT, platform
from tests.flow.separate import until
from tests.running import MovableClock, Running

OPERATOR = ("--as", "DST:liu", "--roles", "operator")


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While it has something, technologies cannot apply what platforms told."""
    react, refuses = FOLLOWING["technologies"]["platforms"], [True]

    def poisoned(entry: JournalEntry) -> Reaction:
        if refuses and record_of(entry) != CLOCK:
            raise ZeroDivisionError
        return react(entry)

    monkeypatch.setitem(FOLLOWING["technologies"], "platforms", poisoned)
    monkeypatch.setattr(consumer, "LONGEST_PAUSE", 0.05)
    return refuses


@pytest.fixture
def running(tmp_path: Path, refusing: list[bool]) -> Iterator[Running]:
    started = Running(tmp_path, NAMES, MovableClock()).start()
    yield started
    started.stop()


def said(running: Running, *words: str, code: int = 0) -> Any:
    address = f"127.0.0.1:{running.process.port}"
    done = CliRunner().invoke(
        cli, ["--address", address, "-o", "json", *words, *OPERATOR], standalone_mode=False
    )
    assert (done.exception, done.return_value or 0) == (None, code), done.output
    return json.loads(done.stdout)


def test_an_operator_finds_what_is_parked_and_redrives_it(
    running: Running, refusing: list[bool]
) -> None:
    made = running.call("CreatePlatform", APPLICANT, platform=platform())
    listed = until(
        lambda: said(running, "events", "parked").get("events"), "the event to be parked"
    )
    assert [(e["consumer"], e["record"], e["action"]) for e in listed] == [
        ("technologies", made.name, "create")
    ]
    assert said(running, "events", "redrive", made.name, code=5)["failed"][0]["tries"] == 6
    refusing.clear()
    said(running, "events", "redrive")
    assert said(running, "events", "parked") == {}
    known = running.rows("technologies", "SELECT name FROM known_record")
    assert known == [(made.name,)]
    assert '"event": "event_parked"' in running.log.read_text("utf-8")
