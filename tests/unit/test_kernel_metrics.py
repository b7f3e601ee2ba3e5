"""Calls as they are told to Prometheus: as its own client's three metrics would tell them."""

import threading
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families as families

from kernel.metrics import CALL, SECONDS, Calls

GET, OTHER = ("unary", 'a"b\\.v1.S', "Get"), ("stream", "s", "Watch")


def told(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if not line.startswith("#") and "_created" not in line)


@pytest.fixture
def registries() -> tuple[Calls, CollectorRegistry, CollectorRegistry]:
    calls, ours = Calls(), CollectorRegistry(auto_describe=True)
    ours.register(calls)
    return calls, ours, CollectorRegistry()


@pytest.mark.parametrize("seconds", [(), (0.0, 0.001, 0.0011, 0.5, 10.0, 10.1, 3600.0), SECONDS])
def test_calls_are_told_as_the_clients_own_metrics_tell_them(
    registries: tuple[Calls, CollectorRegistry, CollectorRegistry], seconds: Sequence[float]
) -> None:
    calls, ours, theirs = registries
    started = Counter("grpc_server_started", "-", CALL, registry=theirs)
    handled = Counter("grpc_server_handled", "-", (*CALL, "grpc_code"), registry=theirs)
    handling = Histogram(
        "grpc_server_handling_seconds", "-", CALL, buckets=SECONDS, registry=theirs
    )
    for method in (GET, OTHER):
        started.labels(*method).inc(len(seconds) + 1)
        calls.of(*method).started += len(seconds) + 1
        handling.labels(*method)
    for number, one in enumerate(seconds):
        code = ("OK", "NOT_FOUND")[number % 2]
        handled.labels(*GET, code).inc()
        handling.labels(*GET).observe(one)
        calls.of(*GET).end(code, one)
    assert told(ours) == told(theirs)


def test_what_is_told_fits_together_while_others_call(
    registries: tuple[Calls, CollectorRegistry, CollectorRegistry],
) -> None:
    calls, ours, _ = registries
    stop = threading.Event()

    def call() -> None:
        number = 0
        while not stop.is_set():
            tally = calls.of("unary", "s", f"m{number % 50}")
            tally.started += 1
            tally.end(f"code-{number % 17}", 0.01)
            number += 1

    caller = threading.Thread(target=call)
    caller.start()
    try:
        for _ in range(5):
            for family in families(generate_latest(ours).decode()):
                if family.type == "histogram":
                    whole = {
                        s.labels["grpc_method"]: s.value
                        for s in family.samples
                        if s.labels.get("le") == "+Inf"
                    }
                    count = {
                        s.labels["grpc_method"]: s.value
                        for s in family.samples
                        if s.name.endswith("_count")
                    }
                    assert whole == count
    finally:
        stop.set()
        caller.join()
