"""What a cluster consists of, where it listens and what its services are told; kept in its folder."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.catalogue import NAMES
from app.cluster import java
from app.cluster.ports import HOST, Broken, free_ports, is_free
from app.settings import PREFIX, ROOT, Settings

POSTGRES = "postgres"
SETTINGS = "settings.toml"
"""What the services are told, as LUOSHU_CONFIG takes it: for commands such as `luoshu rebuild`."""
FILES = "audit-files"
FIRST = {POSTGRES: 55432, "kafka": 19092}
"""Ports that are taken where they are free: a little away from the usual ones, which may be in use."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One cluster. `ports`: of `postgres`, `kafka-1`, `kafka-1-controller`, `funding`, `funding-metrics`, …"""

    folder: Path
    ports: Mapping[str, int]

    @property
    def brokers(self) -> list[str]:
        """Return the brokers' names in order; the first is kafka-1."""
        return [name for name in self.ports if name.startswith("kafka-") and name.count("-") == 1]

    @property
    def bootstrap(self) -> str:
        return ",".join(self.address(name) for name in self.brokers)

    def address(self, name: str) -> str:
        return f"{HOST}:{self.ports[name]}"

    def database(self, service: str) -> str:
        return f"postgresql://postgres@{self.address(POSTGRES)}/{service}"

    @property
    def routes(self) -> str:
        """Return where each service is, as LUOSHU_ADDRESS takes it."""
        return ",".join(f"{name}={self.address(name)}" for name in NAMES)

    def settings(self) -> dict[str, str]:
        """Return what every service is told: they share the secret, and each knows where the others are."""
        told = {
            "DATA_DIR": str(self.folder / "data"),
            "KAFKA": self.bootstrap,
            "LOG_FORMAT": "json",
        }
        for service in NAMES:
            upper, address = service.upper(), self.address(service)
            told[f"{upper}_DATABASE"] = self.database(service)
            told[f"{upper}_LISTEN"] = told[f"{upper}_ADDRESS"] = address
            told[f"{upper}_METRICS_LISTEN"] = self.address(f"{service}-metrics")
        if FILES in self.ports:  # a cluster of an older release has no such port
            told["AUDIT_HTTP_LISTEN"] = self.address(FILES)
        return {PREFIX + name: value for name, value in told.items()}

    def environment(self) -> dict[str, str]:
        """Return the environment of this cluster's services: the present one, and on top what they are told."""
        path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
        own = {name: value for name, value in os.environ.items() if name != java.FOLDER}
        return {**own, **self.settings(), "PYTHONPATH": path}

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"ports": dict(self.ports), "settings": self.settings()}
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        _file(self.folder).write_text(text, encoding="utf-8")
        lines = (
            f"{name.removeprefix(PREFIX).lower()} = {json.dumps(value)}\n"
            for name, value in self.settings().items()
        )
        (self.folder / SETTINGS).write_text("".join(lines), encoding="utf-8")


def make(folder: Path, brokers: int | None = None, *, usual: bool = True) -> Plan:
    """Return a plan whose ports are free now. `usual`: the usual ones, where that can be.

    `brokers`: None: as many as the folder has, else one. Raises Broken: the folder has another number of them.
    """
    folder = folder.absolute()
    there = len(load(folder).brokers) if _file(folder).exists() else None
    if there is not None and brokers not in (None, there):
        raise Broken(
            f"the cluster in {folder} has {there} broker(s), not {brokers}: name another folder, or remove it",
            f"{folder} 中的集群有 {there} 个 Kafka 节点，而不是 {brokers} 个：请另选目录，或删除该目录",
        )
    wanted = dict(_wanted(there or brokers or 1))
    spare = iter(free_ports(len(wanted)))
    ports = {
        name: port if usual and port and is_free(port) else next(spare)
        for name, port in wanted.items()
    }
    return Plan(folder, ports)


def _wanted(brokers: int) -> Iterator[tuple[str, int]]:
    """Yield name → usual port; 0: any."""
    yield POSTGRES, FIRST[POSTGRES]
    for number in range(1, brokers + 1):
        yield f"kafka-{number}", FIRST["kafka"] + number - 1
        yield f"kafka-{number}-controller", 0
    usual = Settings({})
    for service in NAMES:
        yield service, _port(usual.listen(service))
        yield f"{service}-metrics", _port(usual.metrics_listen(service))
    yield FILES, _port(usual["AUDIT_HTTP_LISTEN"])


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def load(folder: Path) -> Plan:
    """Return the plan that a folder's cluster was last started by. Raises Broken: there is none."""
    folder = folder.absolute()
    try:
        content = json.loads(_file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Broken(
            f"no cluster in {folder}: start one with `luoshu cluster up`, or name its folder by --dir",
            f"{folder} 中没有集群：请用 luoshu cluster up 启动，或用 --dir 指定目录",
        ) from None
    return Plan(folder, content["ports"])


def _file(folder: Path) -> Path:
    return folder / "cluster.json"
