"""Audit bundles on the command line: written from the log's own answers, checked without any server."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from app.cli.failures import Failure, complain
from luoshu.audit.v1 import audit_pb2
from luoshu.client import iterate

BROKEN = 5
"""Exit code where the log is not what was signed."""
Progress = Callable[[int], None]


@contextlib.contextmanager
def shown(length: int) -> Iterator[Progress]:
    """Show a bar on a terminal for as long as the block runs; yields what moves it to a number."""
    with click.progressbar(length=length, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield lambda done: bar.update(done - bar.pos)


def write(stub: Any, path: Path, conditions: audit_pb2.ListEntriesRequest | None) -> int:
    """Write a bundle of the whole log, or of the entries that fit the conditions; return their number."""
    from services.audit.bundle import Writer

    newest = _newest(stub)
    with Writer(path, newest.policy, newest.note) as bundle:
        if conditions is None:
            return _whole(stub, bundle, newest.size)
        return _some(stub, bundle, newest.size, conditions)


def _newest(stub: Any) -> audit_pb2.Checkpoint:
    """Return the newest settled checkpoint, where none is the newest."""
    from luoshu.client.errors import NotFound

    request = audit_pb2.GetCheckpointRequest
    try:
        settled: audit_pb2.Checkpoint = stub.GetCheckpoint(request(settled=True, export=True))
        return settled
    except NotFound:
        newest: audit_pb2.Checkpoint = stub.GetCheckpoint(request(export=True))
        return newest


def _whole(stub: Any, bundle: Any, size: int) -> int:
    from services.audit.tiles import Tile, of_level

    with shown(size) as progress:
        for entries in of_level(-1, size):
            for tile in (Tile(0, entries.index, entries.width), entries):
                request = audit_pb2.ReadTileRequest(path=tile.path)
                bundle.tile(tile, stub.ReadTile(request).content)
            progress(entries.start + entries.width)
    return size


def _some(stub: Any, bundle: Any, size: int, conditions: audit_pb2.ListEntriesRequest) -> int:
    from services.audit.domain import from_wire

    count = 0
    for entry in iterate(stub.ListEntries, conditions):
        if entry.index >= size:
            break
        request = audit_pb2.GetInclusionProofRequest(index=entry.index, tree_size=size)
        proof = stub.GetInclusionProof(request)
        bundle.entry(entry.index, from_wire(entry).leaf, list(proof.hashes))
        count += 1
    return count


def verify(path: Path, policy: str, kept: list[str]) -> int:
    """Check a bundle, tell what was found and return the exit code."""
    from services.audit.bundle import Unreadable, verify_bundle
    from services.audit.policy import PolicyError

    try:
        with shown(_size(path)) as progress:
            found = verify_bundle(path, policy, kept=kept, progress=progress)
    except (Unreadable, PolicyError) as error:
        raise Failure(str(error), f"审计包无法核验：{error}", BROKEN) from None
    for finding in found.report.findings:
        complain(finding.en, finding.zh)
    if found.report.findings:
        return BROKEN
    _tell(found, own_keys=not policy)
    return 0


def _size(path: Path) -> int:
    """Return how long the bar is; a wrong number does no harm."""
    import zipfile

    with (
        contextlib.suppress(OSError, ValueError, IndexError, KeyError, zipfile.BadZipFile),
        zipfile.ZipFile(path) as bundle,
    ):
        some = sum(name.startswith("entry/") for name in bundle.namelist())
        return some or int(bundle.read("checkpoint").split(b"\n")[1][:18])
    return 1


def _tell(found: Any, *, own_keys: bool) -> None:
    names = ", ".join(sorted(found.cosigned))
    click.echo(
        f"{found.checked} of {found.size} entries are what was signed\n"
        f"{found.size} 条中的 {found.checked} 条与签署内容一致"
    )
    if names:
        click.echo(f"cosigned by {names}\n见证方：{names}")
    else:
        click.echo(
            "no witness cosigned it: it is the log's own word\n无见证方签名：仅为日志自身的陈述",
            err=True,
        )
    if own_keys:
        click.echo(
            "the keys are the bundle's own; give the ones that you got another way by --policy FILE\n"
            "公钥取自审计包自身；请用 --policy 给出您另行取得的公钥",
            err=True,
        )
