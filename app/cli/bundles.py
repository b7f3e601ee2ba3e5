"""Audit bundles on the command line: written from the log's own answers, checked without any server."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from app.cli.failures import Failure, complain
from app.cli.files import text_of
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


class Source(NamedTuple):
    """Where a bundle comes from. `suite`: of the log, as the contract has it."""

    stub: Any
    suite: Any


def write(source: Source, path: Path, conditions: audit_pb2.ListEntriesRequest | None) -> int:
    """Write a bundle of the whole log, or of the entries that fit the conditions; return their number."""
    from services.audit.bundle import Writer

    newest = _newest(source)
    with Writer(path, newest.policy, newest.note) as bundle:
        if conditions is None:
            return _whole(source, bundle, newest.size)
        return _some(source, bundle, newest.size, conditions)


def _newest(source: Source) -> audit_pb2.Checkpoint:
    """Return the newest settled checkpoint, where none is the newest."""
    from luoshu.client.errors import NotFound

    request = partial(audit_pb2.GetCheckpointRequest, export=True, suite=source.suite)
    try:
        settled: audit_pb2.Checkpoint = source.stub.GetCheckpoint(request(settled=True))
        return settled
    except NotFound:
        newest: audit_pb2.Checkpoint = source.stub.GetCheckpoint(request())
        return newest


def _whole(source: Source, bundle: Any, size: int) -> int:
    from services.audit.tiles import Tile, of_level

    with shown(size) as progress:
        for entries in of_level(-1, size):
            for tile in (Tile(0, entries.index, entries.width), entries):
                request = audit_pb2.ReadTileRequest(path=tile.path, suite=source.suite)
                bundle.tile(tile, source.stub.ReadTile(request).content)
            progress(entries.start + entries.width)
    return size


def _some(source: Source, bundle: Any, size: int, conditions: audit_pb2.ListEntriesRequest) -> int:
    from services.audit.domain import from_wire

    count = 0
    for entry in iterate(source.stub.ListEntries, conditions):
        if entry.index >= size:
            break
        proof = source.stub.GetInclusionProof(
            audit_pb2.GetInclusionProofRequest(
                index=entry.index, tree_size=size, suite=source.suite
            )
        )
        bundle.entry(entry.index, from_wire(entry).leaf, list(proof.hashes))
        count += 1
    return count


def policy_of(path: Path | None) -> str:
    """Return the text of the reader's policy; empty where there is none. Raises Failure: it is no policy."""
    from services.audit.policy import PolicyError, parse_policy

    if path is None:
        return ""
    text = text_of(path)
    try:
        named = parse_policy(text)
    except PolicyError as error:
        raise Failure(
            f"{path} is no policy: {error.en}; a log's key alone goes behind --key",
            f"{path} 不是策略文件：{error.zh}；如只有日志公钥，请用 --key",
        ) from None
    if not named.logs:
        raise Failure(
            f"{path} names no log to trust; write a line: log KEY",
            f"{path} 未列出所信任的日志；请写一行：log 公钥",
        )
    return text


def verify(path: Path, policy: str, key: str, kept: list[str]) -> int:
    """Check a bundle, tell what was found and return the exit code.

    `policy`, `key`: whom the reader trusts, one of them at most; with `key` only the log's own key is exchanged.
    """
    from services.audit.bundle import Unreadable, verify_bundle
    from services.audit.policy import PolicyError

    try:
        with shown(_size(path)) as progress:
            found = verify_bundle(path, policy, key=key, kept=kept, progress=progress)
    except Unreadable as error:
        raise Failure(error.en, f"审计包无法核验：{error.zh}", BROKEN) from None
    except PolicyError as error:
        raise Failure(
            f"the bundle's policy: {error.en}", f"包内策略文件：{error.zh}", BROKEN
        ) from None
    for finding in found.report.findings:
        complain(finding.en, finding.zh)
    if found.report.findings:
        return BROKEN
    _tell(found)
    if not policy and not key:
        _tell_own("the keys", "公钥")
    elif key and found.cosigned:
        _tell_own("the witnesses' keys", "见证方公钥")
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


def _tell(found: Any) -> None:
    names = ", ".join(sorted(found.cosigned))
    click.echo(
        f"{found.checked} of {found.size} entries are what was signed ({found.suite})\n"
        f"{found.size} 条中的 {found.checked} 条与签署内容一致（{found.suite}）"
    )
    if names:
        click.echo(f"cosigned by {names}\n见证方：{names}")
    else:
        click.echo(
            "no witness cosigned it: it is the log's own word\n无见证方签名：仅为日志自身的陈述",
            err=True,
        )
    if not found.checked:
        click.echo(
            "it has no entry: only the checkpoint was checked\n包内没有条目：仅核验了检查点",
            err=True,
        )


def _tell_own(en: str, zh: str) -> None:
    click.echo(
        f"{en} are the bundle's own; give the ones that you got another way by --policy FILE\n"
        f"{zh}取自审计包自身；请用 --policy 给出您另行取得的公钥",
        err=True,
    )
