"""A witness: it cosigns a log's checkpoint once it follows from the one that it cosigned before.

Its protocol is C2SP tlog-witness (`add-checkpoint`), its file a SQLite database of its own. What a
log signed and cannot connect to what it signed before is kept with both signed heads.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa

from kernel.web import Answer, Request, failed
from services.audit import merkle
from services.audit.keys import Malformed, Signer, Verifier, from_base64
from services.audit.note import Checkpoint, Forged, cosign, only, parse, parse_checkpoint, verify

MOST_PROOF = 63
MOST_BODY = 64 * 1024
MOST_EVIDENCE = 1000
"""Rows of evidence of one log: whoever sends more tells nothing new."""
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,17})")

metadata = sa.MetaData()
head = sa.Table(
    "head",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),  # as the log signed it
    sa.Column("time", sa.Integer, nullable=False),  # seconds since 1970 (UTC)
)
"""Every head that was cosigned."""
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("held", sa.Text, nullable=False),
    sa.Column("offered", sa.Text, nullable=False),
    sa.Column("time", sa.Integer, nullable=False),
)


class Kind(StrEnum):
    """FORK: two signed heads of one size differ, which is proof by itself.

    UNPROVEN: a signed head came with a proof that does not connect it to the one held.
    """

    FORK = "fork"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two heads that one log signed; `time`: when the second came, seconds since 1970 (UTC)."""

    kind: Kind
    held: str
    offered: str
    time: int


@dataclass(frozen=True, slots=True)
class _Offer:
    old: int
    proof: Sequence[bytes]
    text: str
    note: str
    checkpoint: Checkpoint


def system_seconds() -> int:
    """Return seconds since 1970 (UTC)."""
    return int(time.time())


class Witness:
    """`logs`: the keys of the logs that it cosigns for, by origin. `engine`: see `kernel.database.writing`."""

    def __init__(
        self,
        engine: sa.Engine,
        signer: Signer,
        logs: Iterable[Verifier],
        now: Callable[[], int] = system_seconds,
    ) -> None:
        self._engine, self._signer, self._now = engine, signer, now
        self._logs: Mapping[str, Verifier] = {log.name: log for log in logs}
        metadata.create_all(engine)

    def answer(self, request: Request) -> Answer:
        """Answer `POST /add-checkpoint` and `GET /<hash of the origin>/checkpoint`."""
        if (request.method, request.path) == ("POST", "/add-checkpoint"):
            return self.add_checkpoint(request.body)
        if request.method == "GET":
            for origin in self._logs:
                if request.path == f"/{sha256(origin.encode()).hexdigest()}/checkpoint":
                    return self.checkpoint(origin)
        return failed(HTTPStatus.NOT_FOUND)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign, or refuse with the status that the protocol has for it."""
        try:
            offer = _parse(body)
        except (Malformed, UnicodeDecodeError):
            return failed(HTTPStatus.BAD_REQUEST)
        log = self._logs.get(offer.checkpoint.origin)
        if log is None:
            return failed(HTTPStatus.NOT_FOUND)
        try:
            verify(offer.note, log)
        except Forged:
            return failed(HTTPStatus.FORBIDDEN)
        offer = replace(offer, note=only(offer.note, log))
        if offer.old > offer.checkpoint.size:
            return failed(HTTPStatus.BAD_REQUEST)
        with self._engine.begin() as tx:  # the check and the head that it leads to are one step
            refusal = self._refusal(tx, offer)
            if refusal is None:
                self._keep(tx, offer)
        return refusal or Answer(200, cosign(offer.text, self._signer, self._now()).encode())

    def checkpoint(self, origin: str) -> Answer:
        """Return the newest head that was cosigned, with both signatures."""
        with self._engine.connect() as connection:
            newest = _latest(connection, origin)
        if newest is None:
            return failed(HTTPStatus.NOT_FOUND)
        line = cosign(parse(newest.note)[0], self._signer, newest.time)
        return Answer(200, (newest.note + line).encode(), headers={"Cache-Control": "max-age=5"})

    def sizes(self) -> dict[str, int]:
        """Return origin → size of the newest head cosigned; 0 where there is none."""
        with self._engine.connect() as connection:
            found = {origin: _latest(connection, origin) for origin in self._logs}
        return {origin: row.size if row else 0 for origin, row in found.items()}

    def evidence(self) -> list[Evidence]:
        """Return what speaks against a log, the oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(evidence).order_by(evidence.c.time)).all()
        return [Evidence(Kind(row.kind), row.held, row.offered, row.time) for row in rows]

    def _refusal(self, tx: sa.Connection, offer: _Offer) -> Answer | None:
        offered, newest = offer.checkpoint, _latest(tx, offer.checkpoint.origin)
        digest = self._logs[offered.origin].suite.digest
        held, root = (newest.size, newest.root) if newest else (0, digest(b""))
        same = _at(tx, offered.origin, offered.size)
        if same is not None and same.root != offered.root:
            self._accuse(tx, Kind.FORK, same.note, offer)
        if offer.old != held:
            return Answer(HTTPStatus.CONFLICT, f"{held}\n".encode(), SIZE_TYPE)
        proof = (held, offered.size, root, offered.root, offer.proof)
        if not merkle.consistency_holds(*proof, digest):
            if newest is not None and offered.size > held:
                self._accuse(tx, Kind.UNPROVEN, newest.note, offer)
            return failed(HTTPStatus.UNPROCESSABLE_ENTITY)
        return None

    def _keep(self, tx: sa.Connection, offer: _Offer) -> None:
        here = offer.checkpoint
        connected = (evidence.c.kind == Kind.UNPROVEN) & (evidence.c.root == here.root)
        tx.execute(sa.delete(evidence).where(evidence.c.origin == here.origin, connected))
        if _at(tx, here.origin, here.size) is None:
            row = (here.origin, here.size, here.root, offer.note, self._now())
            tx.execute(sa.insert(head).values(row))

    def _accuse(self, tx: sa.Connection, kind: Kind, held: str, offer: _Offer) -> None:
        here = offer.checkpoint
        mine = evidence.c.origin == here.origin
        count = tx.scalar(sa.select(sa.func.count()).where(mine)) or 0
        known = sa.select(evidence).where(
            mine, evidence.c.size == here.size, evidence.c.root == here.root
        )
        if count < MOST_EVIDENCE and tx.execute(known).first() is None:
            row = (here.origin, here.size, here.root, kind, held, offer.note, self._now())
            tx.execute(sa.insert(evidence).values(row))


def _parse(body: bytes) -> _Offer:
    """Raises Malformed, UnicodeDecodeError."""
    lines, separator, note = body.decode().partition("\n\n")
    if not separator:
        raise Malformed(
            "an old size, a proof, an empty line and a checkpoint", "应为原条数、证明、空行和检查点"
        )
    first, *proof = lines.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or len(proof) > MOST_PROOF:
        raise Malformed(
            "the first line is `old` and a size; at most 63 hashes follow",
            "首行为 old 和条数，其后至多 63 个哈希",
        )
    hashes = [from_base64(line, merkle.HASH_BYTES) for line in proof]
    text, _ = parse(note)
    checkpoint = parse_checkpoint(text)
    return _Offer(int(old[1]), hashes, text, note, checkpoint)


def _latest(connection: sa.Connection, origin: str) -> sa.Row[Any] | None:
    mine = sa.select(head).where(head.c.origin == origin)
    return connection.execute(mine.order_by(head.c.size.desc()).limit(1)).one_or_none()


def _at(connection: sa.Connection, origin: str, size: int) -> sa.Row[Any] | None:
    here = sa.select(head).where(head.c.origin == origin, head.c.size == size)
    return connection.execute(here).one_or_none()
