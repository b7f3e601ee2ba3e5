"""`luoshu cluster` as its user has it: any process is stopped and started again under load, and nothing is lost."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.catalogue import REGISTRIES
from app.cluster.plan import Plan, load
from app.cluster.ports import is_free
from app.cluster.postgres import Postgres
from app.cluster.supervisor import Cluster
from app.demo.spread import behind
from app.settings import ROOT
from luoshu.client import LuoshuError, connect
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests import invariants
from tests.flow.province import platform
from tests.flow.separate import ClientJournal, scraped, until
from tests.live import engines
from tests.live.spread.topic import demand_topic, sequences_by_kcat

SECONDS = 240.0  # until a test gives up; the machine may be busy
BETWEEN = 1.0  # seconds of load before, while and after something is down
PLATFORMS = next(service for service in REGISTRIES if service.name == "platforms")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "sdk")))}


def luoshu(*words: str) -> None:
    command = [sys.executable, "-m", "app.cli", *words]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def up(home: Path, *words: str) -> Iterator[Plan]:
    log, folder = home / "up.log", home / "cluster"
    command = [sys.executable, "-m", "app.cli", "cluster", "up", "--dir", str(folder), *words]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=ENVIRONMENT)
    try:
        until(
            lambda: "all serve after" in log.read_text() or process.poll(), "the cluster", SECONDS
        )
        assert process.poll() is None, log.read_text()
        yield load(folder)
    finally:
        process.terminate()
        process.wait(SECONDS)


class Writer:
    """Registers platforms one after another; what got no answer is sent again under its request id."""

    def __init__(self, plan: Plan, journal: ClientJournal) -> None:
        self._plan, self._journal, self._ended = plan, journal, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.written = 0

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        who = {"department": "91110000710926094P", "actor": "zhang", "roles": ["applicant"]}
        with connect(self._plan.routes, deadline=5, **who) as client:  # type: ignore[arg-type]
            while not self._ended.is_set():
                key = f"writer-{self.written}"
                request = pb.CreatePlatformRequest(platform=platform(key), request_id=key)
                self._journal.asked(key)
                answer = self._settled(client.platforms.CreatePlatform, request)
                self._journal.answered({key: answer.name})
                self.written += 1

    @staticmethod
    def _settled(call, request):  # type: ignore[no-untyped-def]
        end = time.monotonic() + SECONDS
        while True:
            try:
                return call(request)
            except LuoshuError:
                assert time.monotonic() < end
                time.sleep(0.1)


def stopped_and_started(plan: Plan, names: Sequence[str], writer: Writer) -> None:
    """What `luoshu cluster stop|start NAME` does, of one after another."""
    cluster = Cluster(plan)
    for name in names:
        time.sleep(BETWEEN)
        cluster.stop(name)
        time.sleep(BETWEEN)
        until(lambda n=name: are_free(plan, n), f"the ports of {name}", SECONDS)  # type: ignore[misc]
        cluster.start(name)
        before = writer.written
        until(lambda b=before: writer.written > b, f"writes to go on after {name}", SECONDS)  # type: ignore[misc]


def are_free(plan: Plan, name: str) -> bool:
    """Tell whether nobody has its ports: the system may have given one to somebody's connection while it was down."""
    return all(is_free(port) for of, port in plan.ports.items() if f"{of}-".startswith(f"{name}-"))


def demand_nothing_lost(plan: Plan, journal: ClientJournal) -> None:
    until(lambda: behind(plan) == 0, "everybody to catch up", SECONDS)
    lines = invariants.demand_sound(plan.database("platforms"), PLATFORMS).lines
    invariants.demand_effects(lines, journal.acknowledged())
    demand_topic(plan.bootstrap, "platforms", lines)
    invariants.demand_audited(lines, plan.database("audit"), "platforms")
    invariants.demand_reported(lines, plan.database("reports"), "platforms")


@pytest.mark.parametrize("brokers", [1, 3])
def test_any_process_may_be_stopped_and_started_again_and_nothing_is_lost(
    brokers: int,
    postgres: Postgres,  # to skip where there is none
) -> None:
    with engines.folder() as home, up(home, "--brokers", str(brokers)) as plan:
        journal = ClientJournal(home / "client.jsonl")
        names = list(Cluster(plan).servers) if brokers == 1 else plan.brokers
        with Writer(plan, journal) as writer:
            stopped_and_started(plan, names, writer)
        demand_nothing_lost(plan, journal)
        assert len(journal.acknowledged()) > len(names)


def test_the_backlog_rises_while_the_broker_is_away_and_falls_to_nothing_after(
    postgres: Postgres,
) -> None:
    sample = 'luoshu_relay_backlog_events{source="platforms"}'
    with engines.folder() as home, up(home) as plan:
        at = plan.address("platforms-metrics")
        journal = ClientJournal(home / "client.jsonl")
        luoshu("cluster", "stop", "kafka-1", "--dir", str(plan.folder))
        cluster = Cluster(plan)
        cluster.stop("platforms")
        cluster.start("platforms")  # without a broker it serves, and takes writes
        with Writer(plan, journal) as writer:
            until(lambda: writer.written >= 20, "writes without a broker", SECONDS)
            until(lambda: scraped(at).get(sample, 0) >= 20, "the backlog to rise", SECONDS)
        luoshu("cluster", "start", "kafka-1", "--dir", str(plan.folder))
        until(lambda: scraped(at)[sample] == 0, "the backlog to fall", SECONDS)
        demand_nothing_lost(plan, journal)
        sequences = sequences_by_kcat(plan.bootstrap, "platforms")
        assert sorted(set(sequences)) == list(range(1, max(sequences) + 1))
