"""The page after record 100 000 against the first one."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from bench.serving import AUDITOR, Served
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc

DEEP, STEP, SIZE = 100_000, 1000, 50  # records; a page's size while walking; while measuring
ROUNDS = 200
Who = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Paging:
    """Medians of one order, in milliseconds."""

    order: str
    first: float
    deep: float

    @property
    def ratio(self) -> float:
        return self.deep / self.first


def paging(service: Served, order: str, who: Who = AUDITOR) -> Paging:
    """Time both pages in turn, so that whatever else happens on the machine happens to both."""
    with grpc.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        ask = partial(_page, stub, who, order)
        token = _token_after(ask)
        first, deep = list[float](), list[float]()
        for _ in range(ROUNDS):
            first.append(_timed(ask, ""))
            deep.append(_timed(ask, token))
    return Paging(order or "name", statistics.median(first), statistics.median(deep))


def _token_after(ask: Callable[[str, int], Any]) -> str:
    token = ""
    for _ in range(DEEP // STEP):
        token = ask(token, STEP).next_page_token
    return token


def _timed(ask: Callable[[str, int], Any], token: str) -> float:
    began = time.perf_counter()
    answer = ask(token, SIZE)
    seconds = time.perf_counter() - began
    if len(answer.platforms) != SIZE:
        raise RuntimeError(f"a page of {len(answer.platforms)}")
    return seconds * 1000


def _page(stub: Any, who: Who, order: str, token: str, size: int) -> Any:
    request = pb.ListPlatformsRequest(order_by=order, page_token=token, page_size=size)
    return stub.ListPlatforms(request, metadata=who)
