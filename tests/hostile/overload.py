"""More than the service can do: what it takes on it answers in time, the rest it refuses at once.

python -m tests.hostile.overload --times 5 --seconds 15

The load comes from this process, the service is another; both share this machine's cores, and so the figures say what each took.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvloop

from luoshu.platforms.v1 import platforms_pb2
from tests.flow.separate import Separate, addresses
from tests.hostile.load import Done, Load, cpu
from tests.live.spread.size import measured
from tests.running import Who

CREATE = "/luoshu.platforms.v1.PlatformService/CreatePlatform"
WHO = Who("accounts/load", "91110000710926094P", ("applicant",))
CONNECTIONS = 40
CALLERS = 64  # that keep the service busy without overloading it
TICKS = os.sysconf("SC_CLK_TCK")
OK = grpc.StatusCode.OK.value[0]
REFUSED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
ENDED = grpc.StatusCode.CANCELLED.value[0]
LATE = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
"""ENDED: how gRPC itself ends a call that it does not hand on: without a hint, for it writes no details."""


def _platform() -> bytes:
    said = platforms_pb2.Platform(
        title="嵩山实验室",
        kind="provincial-laboratory",
        division="410100",
        supporting_unit_name="某大学",
        supporting_unit_code=WHO.department,
        recommending_unit="410100",
        direction="new-materials",
        abstract="简介",
    )
    return platforms_pb2.CreatePlatformRequest(platform=said).SerializeToString()


BODY = _platform()


def creation(number: int) -> bytes:
    """Return a request of its own: fields that are appended are read as if they had been set."""
    own = platforms_pb2.CreatePlatformRequest(request_id=f"load-{os.getpid()}-{number}")
    return BODY + own.SerializeToString()


class Seen(NamedTuple):
    """What came of a load. Times in seconds; `admitted`: answered OK."""

    calls: int
    rate: float
    admitted: float
    p99: float
    refused: int
    refused_p99: float
    without_hint: int
    ended: int
    ended_p99: float
    codes: dict[int, int]
    load_cpu: float
    service_cpu: float


def percentile(seconds: Sequence[float], of: float) -> float:
    """Return what so many of them do not exceed."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * of))] if seconds else 0.0


def seen(done: Sequence[Done], seconds: float, load_cpu: float, service_cpu: float) -> Seen:
    admitted = [d.seconds for d in done if d.code == OK]
    refused = [d for d in done if d.code == REFUSED]
    ended = [d for d in done if d.code == ENDED]
    return Seen(
        len(done),
        round(len(done) / seconds),
        round(len(admitted) / seconds),
        round(percentile(admitted, 0.99), 4),
        len(refused),
        round(percentile([d.seconds for d in refused], 0.99), 4),
        sum(not d.hint for d in refused),
        len(ended),
        round(percentile([d.seconds for d in ended], 0.99), 4),
        dict(Counter(d.code for d in done)),
        round(load_cpu / seconds, 2),
        round(service_cpu / seconds, 2),
    )


def _computed(pid: int) -> float:
    """Return the seconds that another process computed."""
    said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(said[11]) + int(said[12])) / TICKS


async def measure(service: Separate, times: float, seconds: float) -> dict[str, Seen]:
    """Find the capacity, then load half of it, then `times` it."""
    load = Load(CREATE, WHO.metadata, creation)
    await load.connect(service.address, CONNECTIONS)

    async def during(work: Any, lasting: float) -> Seen:
        mine, its = cpu(), _computed(service.pid)
        done = await work
        return seen(done, lasting, cpu() - mine, _computed(service.pid) - its)

    await load.closed(CALLERS, 2)
    capacity = await during(load.closed(CALLERS, 5), 5)
    half = await during(load.at(capacity.admitted / 2, 10), 10)
    over = await during(load.at(capacity.admitted * times, seconds), seconds)
    after = await during(load.at(capacity.admitted / 2, 3), 3)
    return {"capacity": capacity, "half": half, "over": over, "after": after}


def wrong(found: dict[str, Seen]) -> Iterator[str]:
    """Say what must not be on any machine, however slow."""
    over, after = found["over"], found["after"]
    if over.without_hint:
        yield f"{over.without_hint} refusals do not say when to come again"
    if strange := set(over.codes) - {OK, REFUSED, ENDED, LATE}:
        yield f"calls ended with {strange}"
    if after.admitted < after.rate * 0.9:
        yield f"afterwards only {after.admitted} of {after.rate} calls a second are answered"


def goals(found: dict[str, Seen]) -> dict[str, Any]:
    """Return the row of the reliability goals: each figure, and what it is to be."""
    capacity, half, over = found["capacity"], found["half"], found["over"]
    quick = over.refused + over.ended
    return {
        "capacity": capacity.admitted,
        "offered": over.rate,
        "goodput": round(over.admitted / max(capacity.admitted, 1), 2),
        "goodput_goal": 0.7,
        "p99": over.p99,
        "p99_goal": round(min(1.0, 5 * half.p99), 3),
        "turned_away": quick,
        "turned_away_p99": max(over.refused_p99, over.ended_p99),
        "turned_away_p99_goal": 0.05,
        "with_hint": round((over.refused - over.without_hint) / max(quick, 1), 3),
        "load_cpu": over.load_cpu,
        "service_cpu": over.service_cpu,
    }


def main() -> int:
    """Print what was seen; return 1 when something is wrong that no slow machine excuses."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.overload", description=__doc__)
    parser.add_argument("--times", type=float, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--folder", help="where the service keeps its files; else a temporary one")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luoshu-overload-", dir=said.folder) as folder:
        around = {**addresses(["platforms"]), "LUOSHU_LOG_LEVEL": "warning"}
        with Separate(("platforms",), Path(folder), around) as service:
            found = uvloop.run(measure(service, said.times, said.seconds))
    for name, one in found.items():
        print(f"{name}: {json.dumps(one._asdict())}")
    measured(f"overload, {said.times:g} times", seconds=said.seconds, **goals(found))
    print(json.dumps(goals(found)), *wrong(found), sep="\n")
    return int(any(wrong(found)))


if __name__ == "__main__":
    sys.exit(main())
