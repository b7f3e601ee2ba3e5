"""The witness of a department: a process of its own, with its own key and its own file."""

import signal
import threading
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from app import logs
from app.readers import policy_file, signer_of
from app.secrets import kept
from app.serve import measured, opened
from app.settings import PREFIX, Settings, SettingsError
from kernel import database, metrics
from kernel.errors import DomainError
from kernel.pack import load as load_pack
from kernel.web import Answer, Request
from services.audit.keys import Signer, generate
from services.audit.suites import COSIGNATURE
from services.audit.witness import MOST_BODY, Kind, Witness

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a department's witness keeps its key and what it has seen."""

    department: str
    folder: Path
    pack: str

    @property
    def name(self) -> str:
        """Name of its key."""
        return f"luoshu.{self.pack}/witness/{self.department}"

    @property
    def key_file(self) -> Path:
        return self.folder / f"witness-{self.department}.key"

    def signer(self) -> Signer:
        """Return its key, made at the first call. Raises SettingsError: the file holds none."""
        text = kept(self.key_file, lambda: generate(self.name, COSIGNATURE).encoded())
        signer: Signer = signer_of(self.key_file, text)
        return signer

    def engine(self) -> sa.Engine:
        """SQLite, each commit synced before it returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return database.writing(f"sqlite:///{self.folder / f'witness-{self.department}.sqlite3'}")


def home_of(settings: Settings, department: str) -> Home:
    """Raises SettingsError: the pack has no such department."""
    pack = load_pack(settings.pack)
    try:
        pack.department(department)
    except DomainError as error:
        raise SettingsError(
            f"a witness is a department's: {error.en}; say --as DEPARTMENT / 见证方须为部门：{error.zh}；请用 --as 指定"
        ) from None
    return Home(department, settings.data_dir, pack.id)


def witness_of(settings: Settings, home: Home) -> Witness:
    """Raises SettingsError: no log is named, or the file is no policy."""
    path = settings["WITNESS_LOGS"]
    logs_ = policy_file("WITNESS_LOGS", Path(path)).logs if path else ()
    if not logs_:
        raise SettingsError(
            f"{PREFIX}WITNESS_LOGS names no log to cosign for: a file with the line `log KEY`, whose key "
            f"`luoshu audit checkpoint --key` prints / {PREFIX}WITNESS_LOGS 未指明要见证的日志：文件中应有一行 "
            "log 公钥，公钥由 luoshu audit checkpoint --key 输出"
        )
    return Witness(home.engine(), home.signer(), logs_)


def counted(witness: Witness, request: Request) -> Answer:
    """Answer, and tell Prometheus what was answered and what speaks against a log."""
    answer = witness.answer(request)
    metrics.WITNESS_ANSWERS.labels(str(int(answer.status))).inc()
    if request.method == "POST":
        measure(witness)
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            log.warning("witness_refused", evidence=len(witness.evidence()))
    return answer


def measure(witness: Witness) -> None:
    for origin, size in witness.sizes().items():
        metrics.WITNESS_SIZE.labels(origin).set(size)
    kinds = [item.kind for item in witness.evidence()]
    for kind in Kind:
        metrics.WITNESS_EVIDENCE.labels(kind).set(kinds.count(kind))


def run(settings: Settings, department: str) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises SettingsError: it cannot start."""
    home = home_of(settings, department)
    witness = witness_of(settings, home)
    logs.configure(settings["LOG_LEVEL"], settings["LOG_FORMAT"])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    measures: Any = measured(settings["WITNESS_METRICS_LISTEN"], "WITNESS_METRICS_LISTEN")
    address = settings["WITNESS_LISTEN"]
    web = opened("WITNESS_LISTEN", address, lambda r: counted(witness, r), most=MOST_BODY)
    measure(witness)
    web.start()
    log.info("witnessing", witness=home.name, listen=address, logs=list(witness.sizes()))
    stop.wait()
    web.stop()
    measures.shutdown()
