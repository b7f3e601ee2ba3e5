"""Collects the witnesses' cosignatures (C2SP tlog-witness) under the newest checkpoint.

All witnesses are asked for the same checkpoint, so that their cosignatures can make a quorum.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Any, Protocol
from urllib.parse import urlsplit

import sqlalchemy as sa

from kernel.database import Put, is_postgres
from services.audit import merkle, schema, store
from services.audit.hashes import with_nodes
from services.audit.keys import Malformed, Verifier, to_base64
from services.audit.note import Forged, cosigners, parse, verify
from services.audit.policy import Policy, Witness
from services.audit.sealing import system_time

TIMEOUT = 5.0  # seconds that a witness has to answer
MOST_ANSWER = 16 * 1024  # bytes
CONNECTIONS = {"http": HTTPConnection, "https": HTTPSConnection}


class Outcome(StrEnum):
    """AHEAD, FORKED: the witness holds a head that this log no longer has, or not this one."""

    COSIGNED = "cosigned"
    AWAY = "away"
    REFUSED = "refused"
    AHEAD = "ahead"
    FORKED = "forked"


class Send(Protocol):
    """Posts a body to a URL: (status, body). Raises OSError: nobody answers, or not in time."""

    def __call__(self, url: str, body: bytes) -> tuple[int, bytes]: ...


def post(url: str, body: bytes) -> tuple[int, bytes]:
    """Post over HTTP, past any proxy, sent on to nobody else, and over after `TIMEOUT` however slowly the answer drips in."""
    parts = urlsplit(url)
    try:
        connection = CONNECTIONS[parts.scheme](parts.netloc)
        with _reached(connection, secure=parts.scheme == "https"):
            headers = {"Content-Type": "text/plain; charset=utf-8"}
            connection.request("POST", parts.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(MOST_ANSWER)
    except (HTTPException, KeyError, ValueError) as error:  # what answers does not speak HTTP
        raise OSError(str(error)) from None


@contextmanager
def _reached(connection: HTTPConnection, *, secure: bool) -> Iterator[None]:
    """Connect; all that the block does ends with the time. A socket's own timeout begins anew with every byte."""
    sock = socket.create_connection((connection.host, connection.port), TIMEOUT)
    if secure:
        context = ssl.create_default_context()
        sock = context.wrap_socket(
            sock, server_hostname=connection.host, do_handshake_on_connect=False
        )
    connection.sock, timer = sock, Timer(TIMEOUT, _shut, (sock,))
    timer.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        yield
    finally:
        timer.cancel()
        connection.close()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Progress:
    """`size`: entries that are stored; `settled`: those under a checkpoint with a quorum."""

    size: int
    settled: int


@dataclass(slots=True)
class Collector:
    """`policy`: the log, the witnesses with their addresses, and the quorum."""

    writing: sa.Engine
    reading: sa.Engine
    policy: Policy
    send: Send = post
    now: Callable[[], int] = system_time
    _held: dict[str, int] = field(default_factory=dict)

    @property
    def log(self) -> schema.Log:
        return schema.LOGS[self.policy.suite.kind]

    def progress(self) -> Progress:
        with self.reading.connect() as connection:
            settled = settled_size(connection, self.policy) or 0
            return Progress(store.tree_size(connection, self.log), settled)

    def round(self) -> dict[str, Outcome]:
        """Ask every witness that has not yet cosigned the newest checkpoint; return name → outcome."""
        with self.reading.connect() as connection:
            newest = store.latest_checkpoint(connection, self.log)
            if newest is None:
                return {}
            done = _signed_by(connection, newest, self.policy)
        waiting = [w for w in self.policy.witnesses if w.verifier.name not in done and w.url]
        return {witness.name: self._ask(witness, newest) for witness in waiting}

    def _ask(self, witness: Witness, newest: sa.Row[Any]) -> Outcome:
        try:
            status, body = self._submit(witness, newest)
            if (
                status == HTTPStatus.CONFLICT
            ):  # it tells what it holds: this log's memory is not needed
                self._held[witness.name] = _size(body)
                if self._held[witness.name] > newest.size:
                    return Outcome.AHEAD
                status, body = self._submit(witness, newest)
        except (OSError, Malformed):
            return Outcome.AWAY
        if status == HTTPStatus.OK and self._keep(witness, newest, body):
            self._held[witness.name] = newest.size
            return Outcome.COSIGNED
        return Outcome.FORKED if status == HTTPStatus.UNPROCESSABLE_ENTITY else Outcome.REFUSED

    def _submit(self, witness: Witness, newest: sa.Row[Any]) -> tuple[int, bytes]:
        old = min(self._held.get(witness.name, 0), newest.size)
        with self.reading.connect() as connection:
            proof = consistency(connection, old, newest.size, self.log)
        lines = [f"old {old}", *map(to_base64, proof), "", newest.text]
        return self.send(f"{witness.url.rstrip('/')}/add-checkpoint", "\n".join(lines).encode())

    def _keep(self, witness: Witness, newest: sa.Row[Any], body: bytes) -> bool:
        """Store the witness's own line, once its signature was found good."""
        line = _line(newest.text, body, witness)
        if line is None:
            return False
        put = Put(self.log.cosignature, postgres=is_postgres(self.writing), replace=True)
        with self.writing.begin() as tx:
            put(tx, [(newest.size, witness.verifier.name, line, self.now())])
        return True


def settled_size(connection: sa.Connection, policy: Policy) -> int | None:
    """Return the size of the newest checkpoint that has a quorum; None where none has.

    The signatures are verified: whoever has the database could write down that a witness was there.
    """
    group, log = policy.groups.get(policy.quorum), schema.LOGS[policy.suite.kind]
    if group is None:
        return None
    keys = [w.verifier.name for w in policy.witnesses if w.name in group.members]
    sizes = store.cosigned_sizes(connection, keys, group.least, log)
    return next((size for size in sizes if is_settled(connection, size, policy)), None)


def is_settled(connection: sa.Connection, size: int, policy: Policy) -> bool:
    """Tell whether the checkpoint of a size has a quorum."""
    row = store.checkpoint_at(connection, size, schema.LOGS[policy.suite.kind])
    if row is None or not policy.groups:
        return False
    return policy.is_settled(_signed_by(connection, row, policy))


def _signed_by(connection: sa.Connection, row: sa.Row[Any], policy: Policy) -> frozenset[str]:
    """Return the names of the keys whose good signature a checkpoint has."""
    note = store.cosigned(connection, row.size, row.text, schema.LOGS[policy.suite.kind])
    return _cosigners(note, tuple(witness.verifier for witness in policy.witnesses))


@lru_cache(maxsize=64)
def _cosigners(note: str, verifiers: tuple[Verifier, ...]) -> frozenset[str]:
    """The same notes are asked about again and again, and a signature takes 0.1 ms."""
    try:
        return cosigners(note, verifiers)
    except Malformed:
        return frozenset()


def consistency(connection: sa.Connection, old: int, size: int, log: schema.Log) -> list[bytes]:
    """Return the proof that a witness wants; none from nothing, and none from the same size."""
    if old in (0, size):
        return []
    digest = log.suite.digest
    return with_nodes(
        connection, lambda nodes: merkle.consistency_proof(old, size, nodes, digest), log
    )


def _size(body: bytes) -> int:
    text = body.decode("ascii", "replace").strip()
    if not text.isdecimal() or len(text) > 18:
        raise Malformed(
            "a witness answers 409 with the size that it holds",
            "见证方以 409 应答时须给出其所持条数",
        )
    return int(text)


def _line(note: str, body: bytes, witness: Witness) -> str | None:
    """Return the witness's good signature line of an answer; None where there is none."""
    for line in body.decode("utf-8", "replace").splitlines():
        cosigned = f"{note}{line}\n"
        try:
            text, signatures = parse(cosigned)
            if (
                signatures[-1].name == witness.verifier.name
                and verify(cosigned, witness.verifier) == text
            ):
                return f"{line}\n"
        except (Malformed, Forged):
            continue
    return None
