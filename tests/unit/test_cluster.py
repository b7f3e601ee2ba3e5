"""The cluster on one machine: its plan, its processes, and what the containers are told; no engine is started."""

import os
import re
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.catalogue import NAMES
from app.cluster import java, kafka, plan, processes
from app.cluster.ports import Broken, Missing, free_ports, is_free, wait_until
from app.cluster.supervisor import ENDED, SERVING, STOPPED, Cluster
from app.settings import ROOT, Settings

COMPOSE = ROOT / "deploy" / "compose.yaml"
LAZY = "import time; time.sleep(600)"
FAILING = "import sys; sys.exit('no room left')"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
BOTH = re.compile(r"[a-z].* / .*[\u4e00-\u9fff]", re.DOTALL)


@dataclass
class Fake:
    """A process that serves as soon as it runs."""

    log: Path
    program: str = LAZY

    def spawn(self) -> "subprocess.Popen[bytes]":
        return processes.spawn([sys.executable, "-c", self.program], self.log)

    def serves(self) -> bool:
        return self.program == LAZY


class Quiet(Cluster):
    """A cluster without databases."""

    def _prepare(self) -> None:
        pass


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = quiet(plan.make(tmp_path, usual=False))
    yield made
    made.down()


def quiet(planned: plan.Plan) -> Cluster:
    made = Quiet(planned)
    made.servers = {name: Fake(planned.folder / f"{name}.log") for name in made.servers}
    return made


def state(cluster: Cluster, name: str) -> str:
    return next(one.state for one in cluster.status() if one.name == name)


# The plan.


def test_no_two_of_a_cluster_share_a_port(tmp_path: Path) -> None:
    ports = plan.make(tmp_path, brokers=3).ports
    assert len(set(ports.values())) == len(ports) == 1 + 2 * 3 + 2 * len(NAMES) + 1


def test_a_port_that_is_taken_is_not_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        monkeypatch.setitem(plan.FIRST, plan.POSTGRES, port)
        assert plan.make(tmp_path).ports[plan.POSTGRES] != port


def test_the_usual_ports_are_taken_where_they_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "is_free", lambda port: True)
    planned = plan.make(tmp_path)
    assert planned.ports[plan.POSTGRES] == plan.FIRST[plan.POSTGRES]
    assert all(planned.address(name) == Settings({}).listen(name) for name in NAMES)


def test_every_service_is_told_only_what_is_a_setting(tmp_path: Path) -> None:
    told = plan.make(tmp_path, brokers=3).settings()
    settings = Settings(told)
    assert settings.unknown == ()
    assert settings["KAFKA"].count("127.0.0.1:") == 3
    assert len({settings.database(name) for name in NAMES}) == len(NAMES)
    assert all(settings.address(name) == settings.listen(name) for name in NAMES)


def test_a_plan_is_read_as_it_was_saved(tmp_path: Path) -> None:
    made = plan.make(tmp_path, brokers=2)
    made.save()
    assert plan.load(tmp_path) == made
    assert made.brokers == ["kafka-1", "kafka-2"]


def test_a_folder_keeps_its_number_of_brokers(tmp_path: Path) -> None:
    plan.make(tmp_path, brokers=3).save()
    assert len(plan.make(tmp_path).brokers) == 3
    with pytest.raises(Broken, match=BOTH):
        plan.make(tmp_path, brokers=1)


def test_a_folder_without_a_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="luoshu cluster up"):
        plan.load(tmp_path)


# The processes.


def test_what_is_started_serves_and_what_is_stopped_does_not(cluster: Cluster) -> None:
    cluster.up()
    assert {one.state for one in cluster.status()} == {SERVING}
    cluster.stop("funding")
    assert state(cluster, "funding") == STOPPED
    cluster.start("funding")
    assert state(cluster, "funding") == SERVING
    cluster.down()
    assert {one.state for one in cluster.status()} == {STOPPED}
    assert cluster.left() == []


def test_what_ends_by_itself_stays_ended_and_is_told(cluster: Cluster) -> None:
    cluster.up()
    process = cluster.running("audit")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert processes.gone([process], 10)
    assert cluster.ended() == ["audit"]
    assert state(cluster, "audit") == ENDED


def test_a_second_one_in_the_folder_is_refused_and_the_first_goes_on(cluster: Cluster) -> None:
    cluster.up()
    with pytest.raises(Broken, match="run already"):
        quiet(cluster.plan).up()
    assert {one.state for one in cluster.status()} == {SERVING}


def test_another_command_can_end_what_this_one_started(cluster: Cluster) -> None:
    cluster.up()
    quiet(cluster.plan).down()
    assert cluster.left() == []
    assert all(child.poll() is not None for child in cluster._children.values())


def test_a_service_that_cannot_start_ends_all_and_its_words_are_told(cluster: Cluster) -> None:
    cluster.servers["reports"] = Fake(cluster.plan.folder / "reports.log", FAILING)
    with pytest.raises(Broken, match="reports: it ended with 1") as broken:
        cluster.up()
    assert "no room left" in broken.value.zh
    assert cluster.left() == []
    assert not any(cluster.running(name) for name in cluster.servers)


def test_an_unknown_name_is_refused_with_those_there_are(cluster: Cluster) -> None:
    with pytest.raises(Broken, match="there are: postgres, kafka-1, platforms"):
        cluster.stop("founding")


def test_a_process_that_has_another_ones_number_is_left_alone(tmp_path: Path) -> None:
    child = processes.spawn([sys.executable, "-c", LAZY], tmp_path / "log")
    processes.signal_to(processes.Known(child.pid, "another time"), signal.SIGKILL)
    known = processes.known(child.pid)
    assert known is not None
    processes.signal_to(known, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    assert not processes.runs(known)


def test_a_process_that_nobody_asked_for_its_status_counts_as_ended(tmp_path: Path) -> None:
    child = processes.spawn([sys.executable, "-c", LAZY], tmp_path / "log")
    known = processes.known(child.pid)
    assert known is not None
    child.send_signal(signal.SIGKILL)
    assert processes.gone([known], 10)
    assert child.wait(10) == -signal.SIGKILL


def test_who_does_not_go_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = processes.spawn([sys.executable, "-c", DEAF], log)
    wait_until(lambda: "deaf" in log.read_text(), process, log)
    assert processes.end(process, signal.SIGTERM, seconds=0.2) == -signal.SIGKILL


def test_waiting_ends_when_the_process_does(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = processes.spawn([sys.executable, "-c", FAILING], log)
    with pytest.raises(Broken, match=BOTH):
        wait_until(lambda: False, process, log)


# Kafka and what it needs.


def test_three_brokers_keep_three_copies_two_of_them_in_step() -> None:
    kept = kafka.copies(3)
    assert (kept["default.replication.factor"], kept["min.insync.replicas"]) == (3, 2)
    assert set(kafka.copies(1).values()) == {1}


def test_a_follower_is_given_longer_than_its_fetch_may_wait() -> None:
    assert kafka.QUICK["controller.quorum.fetch.timeout.ms"] > 500 + 500


def test_the_brokers_of_a_folder_are_one_cluster(tmp_path: Path) -> None:
    first, second = kafka.brokers(tmp_path, 2), kafka.brokers(tmp_path, 2)
    assert len({node.cluster for node in first + second}) == 1
    assert first[0].properties()["controller.quorum.voters"] == ",".join(
        f"{n}@127.0.0.1:{p}" for n, p in first[1].voters.items()
    )


def test_identifiers_are_such_as_kafka_takes() -> None:
    made = {kafka.new_id() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 22 and not one.startswith("-") for one in made)


def test_the_jars_that_are_fetched_are_of_the_version_that_is_looked_for() -> None:
    version = ET.parse(java.POM).find("{*}properties/{*}kafka.version")
    assert version is not None
    assert version.text == java.VERSION


def test_without_a_java_it_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_javas", lambda: iter(["/nowhere/java"]))
    with pytest.raises(Missing, match=BOTH) as missing:
        java.java()
    assert "apt-get install openjdk" in missing.value.en
    assert "/nowhere/java (0)" in missing.value.zh


def test_an_old_java_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_javas", lambda: iter(["old", "new"]))
    monkeypatch.setattr(java, "java_version", {"old": 11, "new": 21}.get)
    assert java.java() == "new"


def test_without_maven_it_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(java.FOLDER, str(tmp_path / "libs"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="apt-get install maven") as missing:
        java.jars()
    assert BOTH.search(str(missing.value))
    assert list(tmp_path.iterdir()) == []


def test_jars_of_another_version_are_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(java.FOLDER, str(tmp_path))
    (tmp_path / "kafka_2.13-4.3.0.jar").touch()
    with pytest.raises(Missing, match=BOTH):
        java.jars()


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


# The containers.


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return content


def of(compose: dict[str, Any], service: str) -> Settings:
    return Settings(compose["services"][service]["environment"])


@pytest.mark.parametrize("name", NAMES)
def test_every_service_has_its_container_that_waits_for_the_migration(
    compose: dict[str, Any], name: str
) -> None:
    service = compose["services"][name]
    assert service["command"] == ["serve", name]
    assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    port = of(compose, name).listen(name).rsplit(":", 1)[1]
    assert service["healthcheck"]["test"][-1] == f"127.0.0.1:{port}"


@pytest.mark.parametrize("name", [*NAMES, "migrate"])
def test_a_container_is_told_only_what_is_a_setting(compose: dict[str, Any], name: str) -> None:
    settings = of(compose, name)
    assert settings.unknown == ()
    assert settings["KAFKA"] == "kafka:9092"
    for other in NAMES:
        assert settings.database(other).endswith(f"@postgres/{other}")
        assert settings.address(other) == settings.listen(other).replace("0.0.0.0", other)


def test_nothing_is_published_beyond_this_machine(compose: dict[str, Any]) -> None:
    published = [p for service in compose["services"].values() for p in service.get("ports", ())]
    assert len(published) == 2 * len(NAMES)
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in published), published


def test_no_password_is_written_down(compose: dict[str, Any]) -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert re.findall(r"://\w+:(?!\$\{LUOSHU_POSTGRES_PASSWORD\}@)[^\s@]*@", text) == []
    password = compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"]
    assert password.startswith("${LUOSHU_POSTGRES_PASSWORD:?")


def test_the_containers_and_the_processes_are_of_the_same_kafka(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{java.VERSION}"


def test_every_volume_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    used = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
    }
    assert {name for name in used if not name.startswith(".")} == set(compose["volumes"])
    assert all((COMPOSE.parent / name).exists() for name in used if name.startswith("."))


def test_a_database_is_made_for_each_service() -> None:
    text = (ROOT / "deploy" / "postgres" / "databases.sql").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^CREATE DATABASE (\w+);$", text, re.MULTILINE)) == NAMES


def test_the_image_has_pinned_packages_and_no_root() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert any("pip install" in line and "--require-hashes" in line for line in lines)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1].isdigit()
    assert users[-1] != "0"


def test_the_image_gets_everything_that_it_copies() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ")}
    sent = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert copied == set(re.findall(r"^!(.+)$", sent, re.MULTILINE))
    assert all((ROOT / name).exists() for name in copied)
