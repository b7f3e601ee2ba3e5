"""docs/settings.md, docs/metrics.md and docs/errors.md: tables that the code has already."""

import inspect

from prometheus_client import Metric
from prometheus_client.registry import Collector

from app import settings as every
from app.cli.failures import EXITS
from app.docs.text import codes, table
from kernel import metrics as declared
from kernel import status
from kernel.errors import DomainError

SETTINGS = """# Settings · 设置

A variable of the environment wins over the file that `LUOSHU_CONFIG` names, the file over the default. The file is TOML; its
keys are the names without `LUOSHU_`, in lower case: `data_dir = "/srv/luoshu"`. `luoshu settings` prints every value and where
it came from.
"""
METRICS = """# Metrics

What a process tells Prometheus on its metrics address. A histogram's name ends in `_bucket`, `_sum` and `_count` there.
"""
ERRORS = """# Errors

Which gRPC status a refusal is. Its details (`google.rpc.Status` in `grpc-status-details-bin`) always hold an `ErrorInfo` (domain
`{domain}`, the reason below or a closer one, such as `STEP_SKIPPED`) and a `LocalizedMessage` in zh-CN. INVALID_ARGUMENT adds a
`BadRequest` with a violation a field, FAILED_PRECONDITION a `PreconditionFailure`, and what may be tried again a `RetryInfo`.
Texts of more than {text} bytes are cut, and lists of problems after {problems} bytes.
"""
UNEXPECTED = """
What is no refusal becomes INTERNAL with an incident id, never an exception's text; the log has the same id. A caller that sees
UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED on a change does not know the outcome: the same `request_id` settles it.
Each change takes an id of its own, best a UUID ([AIP-155](https://google.aip.dev/155)): a service's ids are one space for all its
callers.
"""
EXIT_CODES = """
## Exit codes of `luoshu` · 退出码

What programs may rely on; they do not change.

"""


def settings() -> str:
    """Return the table of every setting."""
    rows = [
        (f"`{every.PREFIX}{s.name}`", f"`{s.default}`" if s.default else "", s.en, s.zh)
        for s in every.table()
    ]
    beside = (
        f"\nOnly the command `luoshu` reads {codes(sorted(every.CLIENT))}: see `luoshu --help`.\n"
    )
    return "\n".join([SETTINGS, table(("Setting", "Default", "What it is", "含义"), rows)]) + beside


def metrics() -> str:
    """Return the table of every metric, in the order in which they are declared."""
    named = vars(declared).values()
    found = [m for m in named if hasattr(m, "describe") and not isinstance(m, type)]
    rows = [_metric(told, collector) for collector in found for told in collector.describe()]
    return "\n".join([METRICS, table(("Metric", "Kind", "Labels", "What it says"), rows)])


def _metric(told: Metric, collector: Collector) -> tuple[str, str, str, str]:
    """`told`: one of those that the collector tells; it knows its labels itself, or its collector does."""
    labels = getattr(told if hasattr(told, "_labelnames") else collector, "_labelnames")  # noqa: B009 - the package tells them nowhere else
    suffix = "_total" if told.type == "counter" else ""
    return f"`{told.name}{suffix}`", told.type, codes(labels), told.documentation


def errors() -> str:
    """Return the table of every refusal."""
    rows = [
        (f"`{code.name}`", f"`{kind.code}`", inspect.getdoc(kind) or "", _retry(kind))
        for kind, code in status.CODES.items()
    ]
    about = ERRORS.format(
        domain=status.DOMAIN, text=status.TEXT_LIMIT, problems=status.PROBLEMS_LIMIT
    )
    headings = ("Status", "Reason", "When", "Try again after")
    exits = [(str(code), en, zh) for code, (en, zh) in EXITS.items()]
    ended = EXIT_CODES + table(("Code", "What it means", "含义"), exits)
    return "\n".join([about, table(headings, rows)]) + UNEXPECTED + ended


def _retry(kind: type[DomainError]) -> str:
    seconds = getattr(kind, "retry_after", 0.0)
    return f"{seconds:g} s" if seconds else ""
