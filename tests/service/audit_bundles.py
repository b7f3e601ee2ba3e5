"""Bundles of a small log with three witnesses. `python -m tests.service.audit_bundles FOLDER` writes some, good and altered."""

import asyncio
import sys
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle, schema, store
from services.audit.bundle import Writer
from services.audit.hashes import with_nodes
from services.audit.keys import Signer
from services.audit.note import cosign, parse
from services.audit.policy import Policy, Witness, quorum_of
from services.audit.suites import COSIGNATURE
from services.audit.tiles import Tile, of_level, read_tile
from tests.service.audit_log import Log, audit_engine

SIGNER = Signer("log.example/henan", bytes(range(32)))
WITNESSES = {
    n: Signer(f"w/{n}", bytes([i] * 32), COSIGNATURE)
    for i, n in enumerate(("DRC", "DST", "DIIT"), 50)
}
TRUSTED = tuple(Witness(name, signer.verifier) for name, signer in WITNESSES.items())
POLICY = quorum_of(Policy((SIGNER.verifier,), TRUSTED), 2, WITNESSES)
SIZE = 600
SOME = (0, 7, 255, 256, 599)


def line(at: int) -> JournalEntry:
    return JournalEntry(source="platforms", position=at, event=b"event %d of many" % at)


def cosigned(note: str, *names: str) -> str:
    return note + "".join(cosign(parse(note)[0], WITNESSES[n], 1_755_000_000) for n in names)


def log_at(path: Path) -> Log:
    """Return a log of 600 entries with checkpoints at 300 and 600."""
    engine = audit_engine(path)
    log = Log(engine, SIGNER, ("platforms",))
    asyncio.run(log.apply("platforms", [line(at) for at in range(1, 301)]))
    asyncio.run(log.apply("platforms", [line(at) for at in range(301, SIZE + 1)]))
    return log


def notes_of(log: Log, tables: schema.Log = schema.FIRST) -> list[str]:
    with log.sink._engine.connect() as connection:
        return [text for _, text in store.checkpoints(connection, log=tables)]


def whole(log: Log, path: Path, note: str, size: int = SIZE, policy: Policy = POLICY) -> Path:
    tables = schema.LOGS[policy.suite.kind]
    with log.sink._engine.connect() as connection, Writer(path, policy.text(), note) as bundle:
        for entries in of_level(-1, size):
            for tile in (entries, Tile(0, entries.index, entries.width)):
                bundle.tile(tile, read_tile(connection, tile, tables) or b"")
    return path


def some(
    log: Log, path: Path, note: str, indexes: Iterable[int] = SOME, policy: Policy = POLICY
) -> Path:
    tables = schema.LOGS[policy.suite.kind]
    digest = tables.suite.digest
    with log.sink._engine.connect() as connection, Writer(path, policy.text(), note) as bundle:
        for index in indexes:
            (entry,) = store.read_entries(connection, after=index - 1, until=index + 1)
            proof = with_nodes(
                connection, lambda n, i=index: merkle.inclusion_proof(i, SIZE, n, digest), tables
            )
            bundle.entry(index, entry.leaf, proof)
    return path


def altered(source: Path, path: Path, name: str, at: int) -> Path:
    """Copy a bundle with one bit of a member flipped."""
    with zipfile.ZipFile(source) as good, zipfile.ZipFile(path, "w") as bundle:
        for member in good.namelist():
            body = good.read(member)
            if member == name:
                body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            bundle.writestr(member, body)
    return path


def enlarged(source: Path, path: Path, name: str, body: bytes) -> Path:
    """Copy a bundle with one member more."""
    with (
        zipfile.ZipFile(source) as good,
        zipfile.ZipFile(path, "w") as bundle,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # a name that is there already
        for member in good.namelist():
            bundle.writestr(member, good.read(member))
        bundle.writestr(name, body)
    return path


def main(folder: Path) -> None:
    """Write good-*.zip, of which every check must hold, and bad-*.zip, of which none may."""
    folder.mkdir(parents=True)
    log = log_at(folder / "audit.db")
    note = cosigned(notes_of(log)[-1], "DRC", "DIIT")
    all_of_it = whole(log, folder / "good-whole.zip", note)
    few = some(log, folder / "good-some.zip", note)
    altered(all_of_it, folder / "bad-entry.zip", "tile/entries/001", 5000)
    altered(few, folder / "bad-one.zip", "entry/7", 40)
    altered(few, folder / "bad-proof.zip", "proof/7", 60)
    altered(all_of_it, folder / "bad-root.zip", "checkpoint", 25)
    signature = len(note.encode()) - 20
    altered(all_of_it, folder / "bad-cosignature.zip", "checkpoint", signature)
    enlarged(all_of_it, folder / "bad-twice.zip", "checkpoint", note.encode())
    enlarged(all_of_it, folder / "bad-beside.zip", "entry/7", b"never signed")
    enlarged(few, folder / "bad-name.zip", "entry/007", b"never signed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
