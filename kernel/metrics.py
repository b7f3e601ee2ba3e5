"""The metrics of a process: each declared once, its help says what a rise means."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry(auto_describe=True)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALL = ("grpc_type", "grpc_service", "grpc_method")


@dataclass(slots=True)
class Tally:
    """How often one method was asked, and what came of it. Counted in one thread, told in any."""

    started: int = 0
    handled: dict[str, int] = field(default_factory=dict)
    slots: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    seconds: float = 0.0

    def end(self, code: str, seconds: float) -> None:
        """Count an answer with its status, and the time that it took."""
        self.handled[code] = self.handled.get(code, 0) + 1
        self.slots[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds


class Calls(Collector):
    """Calls by method, under the names of grpc-ecosystem's middleware.

    They are plain numbers until somebody asks: three metrics of prometheus-client's, each with its lock and its checks, take a
    call 2 µs, a twentieth of all that a read takes.
    """

    def __init__(self) -> None:
        self._tallies = dict[tuple[str, str, str], Tally]()

    def of(self, kind: str, service: str, method: str) -> Tally:
        """Return the tally of a method, the same for all who count it."""
        return self._tallies.setdefault((kind, service, method), Tally())

    def describe(self) -> tuple[CounterMetricFamily, CounterMetricFamily, HistogramMetricFamily]:
        return (
            CounterMetricFamily(
                "grpc_server_started", "Calls begun; far above handled: calls hang.", labels=CALL
            ),
            CounterMetricFamily(
                "grpc_server_handled",
                "Calls answered, by status; INTERNAL or UNAVAILABLE rising: see the log of the same time.",
                labels=(*CALL, "grpc_code"),
            ),
            HistogramMetricFamily(
                "grpc_server_handling_seconds",
                "Time from a call's message to its answer; a rise: the database or the queue before it.",
                labels=CALL,
            ),
        )

    def collect(self) -> Iterator[Metric]:
        started, handled, handling = found = self.describe()
        bounds = [*map(str, SECONDS), "+Inf"]
        for method, tally in list(self._tallies.items()):
            started.add_metric(method, tally.started)
            for code, count in list(tally.handled.items()):
                handled.add_metric((*method, code), count)
            buckets = list(zip(bounds, accumulate(tally.slots), strict=True))
            handling.add_metric(method, buckets, tally.seconds)
        yield from found


CALLS = Calls()
REGISTRY.register(CALLS)

POSITION = Gauge(
    "luoshu_journal_position",
    "Last position of a service's journal; flat under load: nothing is committed.",
    ("source",),
    registry=REGISTRY,
)
LAG = Gauge(
    "luoshu_consumer_lag_events",
    "Events that a consumer has not applied yet; a rise: it is slow, stalled or stopped.",
    ("consumer", "source"),
    registry=REGISTRY,
)
BACKLOG = Gauge(
    "luoshu_relay_backlog_events",
    "Events that the relay has not had acknowledged by the bus; a rise: the broker is away or slow.",
    ("source",),
    registry=REGISTRY,
)
STALLED = Gauge(
    "luoshu_consumer_stalled",
    "1 while a consumer cannot go on: a gap in its source, or an event that it cannot apply.",
    ("consumer", "source"),
    registry=REGISTRY,
)
PARKED = Gauge(
    "luoshu_parked_events",
    "Events that a consumer could not apply and put aside; above 0: an operator has to look and redrive.",
    ("consumer",),
    registry=REGISTRY,
)
BATCH = Histogram(
    "luoshu_batch_size_commands",
    "Commands that one commit carried; a rise: commits are slow or callers many.",
    ("source",),
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    registry=REGISTRY,
)
OVERDUE = Gauge(
    "luoshu_deadline_overdue_count",
    "Opinions of joint reviews that are past their due date; a rise: departments do not answer.",
    registry=REGISTRY,
)
PENDING = Gauge(
    "luoshu_deadlines_pending_count",
    "Deadlines that are still to come; a rise: more is under way.",
    ("source",),
    registry=REGISTRY,
)
UNFIRED = Gauge(
    "luoshu_deadlines_unfired_count",
    "Deadlines whose day has come and that have not happened; above 0 for minutes: a rule refuses them, or no process looks.",
    ("source",),
    registry=REGISTRY,
)
UNLOGGED = Counter(
    "luoshu_log_lines_lost",
    "Log lines that could not be written; a rise: the disk of the log is full or gone. No call fails for it.",
    registry=REGISTRY,
)
REFUSED = Counter(
    "luoshu_requests_refused",
    "Requests refused before they were decided, by reason; a rise: overload, or an identity that is missing.",
    ("reason",),
    registry=REGISTRY,
)
DEVELOPMENT = Gauge(
    "luoshu_development_identity",
    "1 where callers are believed without proof on an address that others reach; never in production.",
    registry=REGISTRY,
)
AUDIT_ALARM = Gauge(
    "luoshu_audit_alarm",
    "1 where the audit log is not what it was: damaged, or not what a witness holds (ahead, forked).",
    ("reason",),
    registry=REGISTRY,
)
AUDIT_UNSETTLED = Gauge(
    "luoshu_audit_unsettled_seconds",
    "Age of the oldest entry that no quorum of witnesses has cosigned; a rise: witnesses are away, or nothing is signed.",
    registry=REGISTRY,
)
AUDIT_ANSWERS = Counter(
    "luoshu_audit_witness_answers",
    "What witnesses answered to a checkpoint; anything but cosigned rising: see the witness.",
    ("witness", "outcome"),
    registry=REGISTRY,
)
WITNESS_SIZE = Gauge(
    "luoshu_witness_size_entries",
    "Entries of a log under the last head that this witness cosigned; flat: the log does not ask it.",
    ("origin",),
    registry=REGISTRY,
)
WITNESS_ANSWERS = Counter(
    "luoshu_witness_answers",
    "Answers of this witness by HTTP status; 409 and 422 rising: a log does not follow from what it signed.",
    ("status",),
    registry=REGISTRY,
)
WITNESS_EVIDENCE = Gauge(
    "luoshu_witness_evidence_count",
    "Pairs of heads signed by one log that do not belong together (fork), or were not shown to (unproven).",
    ("kind",),
    registry=REGISTRY,
)
RETENTION_DUE = Gauge(
    "luoshu_retention_due_count",
    "Persons whose values the pack's retention rule wants erased and no hold keeps, counted once a day; not 0: runbook.",
    ("service",),
    registry=REGISTRY,
)
WATCHERS = Gauge(
    "luoshu_watchers_count",
    "Open Watch streams, by collection.",
    ("collection",),
    registry=REGISTRY,
)


@lru_cache(maxsize=64)
def journal_position(source: str) -> Gauge:
    return POSITION.labels(source)


@lru_cache(maxsize=64)
def batch_size(source: str) -> Histogram:
    return BATCH.labels(source)
