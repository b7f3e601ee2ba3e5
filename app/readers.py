"""The services that only read journals: their database, their sink, their servicer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from google.protobuf.descriptor import ServiceDescriptor

from app.catalogue import APPROVALS, EVENTS, JOURNALS, homes
from app.secrets import audit_key, kept, secret_of, sm_key
from app.settings import PREFIX, Settings, SettingsError
from kernel import database
from kernel.access_room import AccessRoom
from kernel.consumer import Sink
from kernel.outcome import Clock
from kernel.pack import Pack


@dataclass(frozen=True, slots=True)
class Reader:
    """A service without a journal, ready to serve and to follow. The rest is the audit's: what signs and what collects
    cosignatures, one a log; what answers for files.
    """

    contract: ServiceDescriptor
    servicer: Any
    sink: Sink
    access: AccessRoom
    close: Callable[[], None]
    sealers: Sequence[Any] = ()
    collectors: Sequence[Any] = ()
    files: Any = None


def signer_of(path: Path, text: str) -> Any:
    """Raises SettingsError: the file holds no key."""
    from services.audit.keys import Malformed, parse_signer

    try:
        return parse_signer(text)
    except Malformed:
        raise SettingsError(
            f"{path} is no signing key of a log; restore it from the backup / {path} 不是审计日志签名密钥；请从备份恢复"
        ) from None


def _leave(sink: Any, *engines: sa.Engine) -> None:
    sink.leave()
    for engine in engines:
        engine.dispose()


def audit_policy(settings: Settings, pack: Pack, signer: Any) -> Any:
    """Return whom the log's readers may trust: its key, its witnesses, the pack's quorum. Raises SettingsError."""
    from services.audit.policy import Policy, quorum_of

    path = settings["AUDIT_WITNESSES"]
    named = policy_file("AUDIT_WITNESSES", Path(path)) if path else Policy()
    rule = pack.rules.get("audit-witnesses")
    policy = Policy((signer.verifier,), named.witnesses)
    return quorum_of(policy, rule.value, rule.departments)


def policy_file(setting: str, path: Path) -> Any:
    """Raises SettingsError: the file is no policy."""
    from services.audit.policy import PolicyError, parse_policy

    try:
        return parse_policy(path.read_text("utf-8"))
    except PolicyError as error:
        en, zh = error.en, error.zh
    except (OSError, UnicodeDecodeError) as error:
        en, zh = str(error), f"文件无法读取（{error}）"
    raise SettingsError(
        f"{PREFIX}{setting}={path} cannot be read as a C2SP tlog-policy: {en} / "
        f"{PREFIX}{setting}={path} 无法按 C2SP tlog-policy 读取：{zh}"
    )


def audit_signers(settings: Settings) -> list[Any]:
    """Return the signing key of each log, made at the first start. Raises SettingsError."""
    from services.audit.suites import SHA_ED25519, SM3_SM2

    signers = [_signer(settings, "AUDIT_ORIGIN", audit_key(settings), SHA_ED25519)]
    if origin := settings["AUDIT_SM_ORIGIN"]:
        if origin == signers[0].name:
            raise SettingsError(
                f"{PREFIX}AUDIT_SM_ORIGIN={origin} is the first log's origin; give the second log one of its own / "
                f"{PREFIX}AUDIT_SM_ORIGIN={origin} 与第一日志的来源名相同；请为第二日志另取来源名"
            )
        signers.append(_signer(settings, "AUDIT_SM_ORIGIN", sm_key(settings), SM3_SM2))
    return signers


def _origin(settings: Settings, setting: str) -> str:
    """Raises SettingsError: no log can have this name."""
    from services.audit.keys import Malformed, checked_name

    try:
        return checked_name(settings[setting])
    except Malformed as error:
        name = f"{PREFIX}{setting}"
        raise SettingsError(
            f"{name}={settings[setting]} is no origin ({error.en}): write it as luoshu.henan/log / "
            f"{name}={settings[setting]} 不能作为来源名（{error.zh}）：可写作 luoshu.henan/log"
        ) from None


def _signer(settings: Settings, setting: str, path: Path, suite: Any) -> Any:
    """Raises SettingsError: the file holds no key, one of another suite or origin, or the suite's library is missing."""
    from services.audit.keys import generate
    from services.audit.suites import Missing

    try:
        suite.digest(b"")
    except Missing as error:
        raise SettingsError(
            f"{error}, or leave {PREFIX}AUDIT_SM_ORIGIN empty / 国密日志需要安装附加组件 sm，或将 {PREFIX}AUDIT_SM_ORIGIN 留空"
        ) from None
    origin = _origin(settings, setting)
    signer = signer_of(path, kept(path, lambda: generate(origin, suite.kind).encoded()))
    if signer.kind != suite.kind:
        raise SettingsError(
            f"{path} is a key of {signer.suite.name}, and this log is of {suite.name}; restore its own key from the backup / "
            f"{path} 是 {signer.suite.name} 的密钥，而该日志使用 {suite.name}；请从备份恢复其密钥"
        )
    if signer.name != origin and settings.values[setting].source != "default":
        raise SettingsError(
            f"{path} is the key of {signer.name}, and {PREFIX}{setting} says {origin}: set it to {signer.name}; "
            f"for a new log name another file for its key / {path} 是 {signer.name} 的密钥，而 {PREFIX}{setting} 为 "
            f"{origin}：请设为 {signer.name}；如要启用新日志，请另行指定密钥文件"
        )
    return signer


def audit(settings: Settings, pack: Pack, clock: Clock) -> Reader:
    from luoshu.audit.v1 import audit_pb2
    from services.audit import schema
    from services.audit.consumer import AuditSink
    from services.audit.cosigning import Collector
    from services.audit.questions import Asking
    from services.audit.sealing import Sealer
    from services.audit.servicer import AuditServicer
    from services.audit.tiles import TileServer
    from services.audit.view import Registries

    url = settings.database("audit")
    writing, reading = database.writing(url), database.reading(url)
    signers = audit_signers(settings)
    policies = [audit_policy(settings, pack, signer) for signer in signers]
    sink = AuditSink(writing, JOURNALS)
    registries = Registries(EVENTS, {name: home.service.name for name, home in homes().items()})
    return Reader(
        audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
        AuditServicer(reading, policies, Asking(pack, APPROVALS), registries),
        sink,
        AccessRoom("audit", schema.ACCESS, url, secret_of(settings, "audit"), clock),
        partial(_leave, sink, writing, reading),
        [Sealer(writing, reading, signer) for signer in signers],
        [Collector(writing, reading, policy) for policy in policies],
        TileServer(reading, *policies),
    )


def reports(settings: Settings, pack: Pack, clock: Clock) -> Reader:
    from luoshu.reports.v1 import reports_pb2
    from services.reports.consumer import ReportsSink
    from services.reports.servicer import ReportsServicer
    from services.reports.store import ACCESS

    url = settings.database("reports")
    writing, reading = database.writing(url), database.reading(url)
    sink = ReportsSink(writing, pack)
    return Reader(
        reports_pb2.DESCRIPTOR.services_by_name["ReportService"],
        ReportsServicer(reading, pack),
        sink,
        AccessRoom("reports", ACCESS, url, secret_of(settings, "reports"), clock),
        partial(_leave, sink, writing, reading),
    )
