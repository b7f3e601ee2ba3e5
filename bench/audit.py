"""The audit log: appends beside what the disk and the hash allow (and beside Tessera), proofs by size, a bundle of a million."""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

from app.settings import ROOT
from bench.results import HERE, Line, at_most
from kernel import database
from kernel.database import Put
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle, schema
from services.audit.bundle import Writer, verify_bundle
from services.audit.consumer import AuditSink
from services.audit.domain import leaf
from services.audit.hashes import with_nodes
from services.audit.keys import Signer, generate
from services.audit.note import sign_checkpoint
from services.audit.policy import Policy
from services.audit.sealing import Sealer, seal_next
from services.audit.suites import SM2, Missing, sm_3
from services.audit.tiles import Tile, bundled, of_level

SIGNER = Signer("bench.example/log", bytes(range(32)))
BATCH, BATCHES, ROUNDS, BYTES = 500, 8, 5, 400
SIZES = (1 << 8, 1 << 12, 1 << 16)
PROOFS = 300
MILLION, MOST_SECONDS = 1_000_000, 60.0
MOST_GROWTH = 3.0
"""Cost of a proof at 65 536 entries against 256: the logarithms are as 2 to 1."""


def lines() -> Iterator[Line]:
    yield from _appends()
    yield from _proofs()
    yield from _second()
    yield _million()


def _event(position: int) -> bytes:
    return (b"event %d " % position).ljust(BYTES, b"x")


def _appends() -> Iterator[Line]:
    rounds = [(_stored(), _limit()) for _ in range(ROUNDS)]
    ours, limit = (list(column) for column in zip(*rounds, strict=True))
    shares = [o / most for o, most in rounds]
    yield Line(
        "audit: appends a second, stored, read back, compared and signed",
        f"{statistics.median(ours):,.0f}",
        detail=f"{BATCH} entries of {BYTES} bytes a batch, two synced transactions each; median of {ROUNDS} rounds",
    )
    yield Line(
        "audit: the limit, hash and synced write of the same bytes",
        f"{statistics.median(limit):,.0f}",
        detail=f"appends reach {statistics.median(shares):.1%} of it (median of interleaved rounds)",
    )
    yield _tessera(statistics.median(ours))


def _stored(*others: Signer) -> float:
    """Return the appends a second of the first log, and of others beside it."""
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        engine = database.writing(f"sqlite:///{Path(folder) / 'audit.sqlite3'}")
        schema.metadata.create_all(engine)
        journal = [
            JournalEntry(source="platforms", position=at, event=_event(at))
            for at in range(1, BATCH * BATCHES + 1)
        ]
        began = time.perf_counter()
        asyncio.run(_follow(engine, journal, others))
        took = time.perf_counter() - began
        engine.dispose()
    return len(journal) / took


async def _follow(
    engine: sa.Engine, journal: Sequence[JournalEntry], others: Sequence[Signer]
) -> None:
    sink = AuditSink(engine, ("platforms",))
    sealers = [Sealer(engine, engine, signer) for signer in (SIGNER, *others)]

    async def told(_source: str, after: int, limit: int) -> Sequence[JournalEntry]:
        return journal[after : after + limit]

    for start in range(0, len(journal), BATCH):
        sink.apply("platforms", journal[start : start + BATCH])
        for sealer in sealers:
            while await seal_next(sealer, told):
                pass


def _limit() -> float:
    count = BATCH * BATCHES
    with tempfile.TemporaryFile() as file:
        began = time.perf_counter()
        for start in range(1, count + 1, BATCH):
            for at in range(start, start + BATCH):
                raw = leaf("platforms", 0, at, _event(at))
                file.write(sha256(b"\x00" + raw).digest() + raw)
            file.flush()
            os.fsync(file.fileno())
        return count / (time.perf_counter() - began)


def _tessera(ours: float) -> Line:
    what = "audit: Tessera's log on files, appends a second"
    try:
        program = _built()
    except (OSError, subprocess.CalledProcessError):
        return Line(what, "not measured", detail="it needs Go and its modules")
    command = (program, "-entries", "20000", "-bytes", str(BYTES), "-batch", str(BATCH))
    said = float(subprocess.check_output(command, text=True))
    return Line(what, f"{said:,.0f}", detail=f"512 callers; ours are {ours / said:.2f} of it")


def _built() -> Path:
    out = ROOT / "build" / "bench" / "tessera"
    if not out.exists():
        command = (ROOT / "tools" / "go", "build", "-o", str(out), ".")
        subprocess.run(command, cwd=HERE / "peers" / "tessera", check=True)
    return out


def _proofs() -> Iterator[Line]:
    taken = dict[int, float]()
    for size in SIZES:
        taken[size] = _proof_seconds(size)
        yield Line(
            f"audit: an inclusion proof of {size:,} entries",
            f"{taken[size] * 1e6:,.0f} µs",
            detail=f"{size.bit_length() - 1} hashes, one query; CPU time, median of {PROOFS}",
        )
    growth = taken[SIZES[-1]] / taken[SIZES[0]]
    yield at_most(
        f"audit: a proof of {SIZES[-1]:,} entries against one of {SIZES[0]:,}", growth, MOST_GROWTH
    )


def _second() -> Iterator[Line]:
    """The log with SM3 and SM2, where its extra is installed."""
    try:
        sm_3(b"")
    except Missing:
        yield Line(
            "audit: the second log, SM3 and SM2", "not measured", detail="it needs the extra sm"
        )
        return
    signer = generate("bench.example/log-sm", SM2)
    rounds = [(_stored(), _stored(signer)) for _ in range(ROUNDS)]
    alone, both = (statistics.median(column) for column in zip(*rounds, strict=True))
    yield Line(
        "audit: appends a second to both logs, the second with SM3 and SM2",
        f"{both:,.0f}",
        detail=f"{statistics.median(b / a for a, b in rounds):.0%} of the first log's alone, {alone:,.0f} (interleaved)",
    )
    taken = {size: _proof_seconds(size, schema.SECOND) for size in SIZES}
    yield at_most(
        f"audit: a proof of {SIZES[-1]:,} entries against one of {SIZES[0]:,}, SM3",
        taken[SIZES[-1]] / taken[SIZES[0]],
        MOST_GROWTH,
        ", ".join(f"{size:,}: {taken[size] * 1e6:,.0f} µs" for size in SIZES),
    )


def _proof_seconds(size: int, log: schema.Log = schema.FIRST) -> float:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    schema.metadata.create_all(engine)
    digest = log.suite.digest
    leaves = (digest(b"%d" % n) for n in range(size))
    _, added = merkle.extend(merkle.Tree(digest=digest), leaves)
    with engine.begin() as tx:
        Put(log.node, postgres=False)(tx, added)
    taken = []
    with engine.connect() as connection:
        for number in range(PROOFS):
            index, began = number * 7919 % size, time.process_time()
            with_nodes(
                connection, lambda n, i=index: merkle.inclusion_proof(i, size, n, digest), log
            )
            taken.append(time.process_time() - began)
    return statistics.median(taken)


def _million() -> Line:
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        path = _bundle(Path(folder) / "million.zip")
        began = time.process_time()
        found = verify_bundle(path)
        took = time.process_time() - began
        assert found.report.sound
        assert found.checked == MILLION
    return at_most(
        "audit: a bundle of a million entries is verified", took, MOST_SECONDS, "CPU time", " s"
    )


def _bundle(path: Path) -> Path:
    leaves = [leaf("platforms", 0, at, b"event %d" % at) for at in range(1, MILLION + 1)]
    hashes = [merkle.leaf_hash(raw) for raw in leaves]
    root = merkle.extend(merkle.Tree(), hashes)[0].root
    note = sign_checkpoint(MILLION, root, SIGNER)
    with Writer(path, Policy((SIGNER.verifier,)).text(), note) as bundle:
        for tile in of_level(-1, MILLION):
            here = slice(tile.start, tile.start + tile.width)
            bundle.tile(tile, b"".join(map(bundled, leaves[here])))
            bundle.tile(Tile(0, tile.index, tile.width), b"".join(hashes[here]))
    return path
