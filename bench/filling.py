"""Many records at once: rows of an import a second, and how fast a late watcher catches up."""

import time
from typing import Any

import grpc

from bench.rows import messages
from bench.serving import APPLICANT, AUDITOR, Served
from luoshu.journal.v1 import journal_pb2, journal_pb2_grpc
from luoshu.platforms.v1 import platforms_pb2 as pb
from luoshu.platforms.v1 import platforms_pb2_grpc


def import_rate(service: Served, count: int) -> float:
    """Enter so many rows; return rows a second."""
    sent = list(messages(count))
    with grpc.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        began, entered = time.perf_counter(), 0
        for answer in stub.ImportPlatforms(iter(sent), metadata=APPLICANT):
            results = answer.results
            entered += sum(r.outcome == journal_pb2.IMPORT_OUTCOME_ENTERED for r in results)
        seconds = time.perf_counter() - began
    if entered != count:
        raise RuntimeError(f"{entered} of {count} rows were entered")
    return count / seconds


def watch_rate(service: Served, count: int) -> float:
    """Watch from the beginning until so many changes were seen; return changes a second."""
    with grpc.insecure_channel(service.address) as channel:
        stub = platforms_pb2_grpc.PlatformServiceStub(channel)
        return _rate(stub.WatchPlatforms(pb.WatchPlatformsRequest(), metadata=AUDITOR), count)


def follow_rate(service: Served, count: int) -> float:
    """The same over ReadJournal, as a consumer in another process reads."""
    with grpc.insecure_channel(service.address) as channel:
        stub = journal_pb2_grpc.JournalServiceStub(channel)
        request = journal_pb2.ReadJournalRequest(source="platforms", follow=True)
        return _rate(stub.ReadJournal(request, metadata=AUDITOR), count)


def _rate(stream: Any, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        next(stream)
    seconds = time.perf_counter() - began
    stream.cancel()
    return count / seconds
