"""The services that only read journals: their database, their sink, their servicer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from google.protobuf.descriptor import ServiceDescriptor

from app.catalogue import REGISTRIES
from app.secrets import audit_key, kept
from app.settings import Settings, SettingsError
from kernel import database
from kernel.consumer import Sink
from kernel.pack import Pack

SOURCES = tuple(service.name for service in REGISTRIES)


@dataclass(frozen=True, slots=True)
class Reader:
    """A service without a journal, ready to serve and to follow. `sealer`: signs what the audit follows."""

    contract: ServiceDescriptor
    servicer: Any
    sink: Sink
    close: Callable[[], None]
    sealer: Any = None


def _signer(path: Path, text: str) -> Any:
    """Raises SettingsError: the file holds no key."""
    from services.audit.note import Malformed, parse_signer

    try:
        return parse_signer(text)
    except Malformed:
        raise SettingsError(
            f"{path} is no signing key of a log; restore it from the backup / {path} 不是审计日志签名密钥；请从备份恢复"
        ) from None


def _leave(*engines: sa.Engine) -> None:
    for engine in engines:
        engine.dispose()


def audit(settings: Settings) -> Reader:
    from luoshu.audit.v1 import audit_pb2
    from services.audit.consumer import AuditSink
    from services.audit.note import generate
    from services.audit.sealing import Sealer
    from services.audit.servicer import AuditServicer

    url = settings.database("audit")
    writing, reading = database.writing(url), database.reading(url)
    text = kept(audit_key(settings), lambda: generate(settings["AUDIT_ORIGIN"]).encoded())
    signer = _signer(audit_key(settings), text)
    return Reader(
        audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
        AuditServicer(reading, signer),
        AuditSink(writing, SOURCES),
        partial(_leave, writing, reading),
        Sealer(writing, reading, signer),
    )


def reports(settings: Settings, pack: Pack) -> Reader:
    from luoshu.reports.v1 import reports_pb2
    from services.reports.consumer import ReportsSink
    from services.reports.servicer import ReportsServicer

    url = settings.database("reports")
    writing, reading = database.writing(url), database.reading(url)
    return Reader(
        reports_pb2.DESCRIPTOR.services_by_name["ReportService"],
        ReportsServicer(reading, pack),
        ReportsSink(writing, pack),
        partial(_leave, writing, reading),
    )
