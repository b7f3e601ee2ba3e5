"""A million records in a list: a deep page against the first, many records against few."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from bench.importing import import_rate
from bench.multiply import multiply
from bench.results import Line, at_most
from bench.serving import APPLICANT_ALONE, AUDITOR, SERVICE, Served, served
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

FEW, MANY, SIZE = 10_000, 1_000_000, 50
DEEP = 10_000  # which page
STEP = 1000  # records a page while walking
ROUNDS = 150
FILTER = 'division = "410100" AND title : "材料"'


@dataclass(frozen=True)
class Asked:
    """A list as it is asked for."""

    name: str
    order: str
    filter: str
    who: tuple[tuple[str, str], ...]


LISTS = (
    Asked("by title, filtered", "title", FILTER, AUDITOR),
    Asked("by title, filtered, a unit's own", "title", FILTER, APPLICANT_ALONE),
    Asked("by name", "", "", AUDITOR),
)


def lines() -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        small, large = _filled(Path(folder) / "few", FEW), _filled(Path(folder) / "many", MANY)
        with served(folder=small) as few, served(folder=large) as many:
            for asked in LISTS:
                yield from _lines(asked, few, many)


def _lines(asked: Asked, few: Served, many: Served) -> Iterator[Line]:
    token = _token(many, asked)
    pages = ((few, ""), (many, ""), (many, token))
    times = [[_timed(service, asked, t) for service, t in pages] for _ in range(ROUNDS)]
    small, first, deep = (statistics.median(column) for column in zip(*times, strict=True))
    yield at_most(
        f"List {asked.name}, {MANY:,} records: page {DEEP:,} against page 1", deep / first, 1.2,
        f"{deep:.1f} ms against {first:.1f} ms, {SIZE} records a page",
    )  # fmt: skip
    yield at_most(
        f"List {asked.name}: {MANY:,} records against {FEW:,}", first / small, 1.5,
        f"{first:.1f} ms against {small:.1f} ms, page 1",
    )  # fmt: skip


def _filled(folder: Path, count: int) -> Path:
    """Enter 10 000 rows by import, and the rest as copies of them, straight into the tables."""
    folder.mkdir()
    with served(folder=folder) as service:
        import_rate(service, FEW)
    if count > FEW:
        multiply(folder / f"{SERVICE}.sqlite3", count // FEW)
    return folder


def _token(service: Served, asked: Asked) -> str:
    token, walked = "", 0
    while walked < (DEEP - 1) * SIZE:
        token = _page(service, asked, token, min(STEP, (DEEP - 1) * SIZE - walked)).next_page_token
        walked += STEP
    return token


_stubs: dict[str, Any] = {}


def _page(service: Served, asked: Asked, token: str, size: int) -> Any:
    stub = _stubs.setdefault(
        service.address,
        platforms_pb2_grpc.PlatformServiceStub(grpc.insecure_channel(service.address)),
    )
    request = pb.ListPlatformsRequest(
        order_by=asked.order, filter=asked.filter, page_token=token, page_size=size
    )
    return stub.ListPlatforms(request, metadata=asked.who)


def _timed(service: Served, asked: Asked, token: str) -> float:
    """Return milliseconds."""
    began = time.perf_counter()
    answer = _page(service, asked, token, SIZE)
    seconds = time.perf_counter() - began
    if len(answer.platforms) != SIZE:
        raise RuntimeError(f"a page of {len(answer.platforms)}")
    return seconds * 1000
