"""A bundle: entries, proofs, checkpoint, cosignatures and keys in one file, to be checked without us.

A ZIP file whose members are what C2SP defines, so that any tool of that kind reads them:

    policy            whom to trust (tlog-policy): the log's key, the witnesses' keys, the quorum
    checkpoint        the log's signed head with the witnesses' cosignatures (tlog-checkpoint)
    tile/0/<N>…       leaf hashes, and
    tile/entries/<N>… the entries, both of the whole log (tlog-tiles); or, of some entries only,
    entry/<index>     the entry's bytes, and
    proof/<index>     its way to the checkpoint (tlog-proof)

`tools/verify_bundle.py` checks the same with the standard library and `cryptography` alone.
"""

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from services.audit import merkle
from services.audit.domain import LogEntry, parse_leaf
from services.audit.keys import Malformed, Verifier, from_base64, parse_verifier, to_base64
from services.audit.note import Checkpoint, Forged, cosigners, parse_checkpoint, verify_checkpoint
from services.audit.policy import PolicyError, parse_policy
from services.audit.report import Finding, Kind, Report
from services.audit.suites import Digest
from services.audit.tiles import WIDTH, Tile, of_level
from services.audit.verify import Progress, verify_log

PROOF = "c2sp.org/tlog-proof@v1"
MOST_TEXT = 1 << 20
"""Bytes that a text of a bundle may have; a bundle of entries, or a proof, may have less."""
MOST_MEMBER = WIDTH * (2 + 65_535) + 1
BESIDE = frozenset({"README.txt", "policy", "checkpoint"})
_ENTRY = re.compile(r"entry/(0|[1-9][0-9]{0,17})")

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What reading a member of a damaged file raises."""

README = """Luoshu audit bundle / 洛书审计包

policy      whom to trust: the log's key, the witnesses' keys, the quorum (c2sp.org/tlog-policy).
            The type of the log's key tells the suite: 01 Ed25519 with SHA-256; ff and "luoshu.sm2-sm3.v1" SM2 with SM3
checkpoint  the log's signed head with the witnesses' cosignatures (c2sp.org/tlog-checkpoint, tlog-cosignature)
tile/       all entries and their hashes (c2sp.org/tlog-tiles), or
entry/      some entries, each with its way to the checkpoint in proof/ (c2sp.org/tlog-proof)

Compare `policy` with keys that you got another way: this file cannot vouch for itself.
Check: luoshu audit verify FILE; with SHA-256 also python tools/verify_bundle.py FILE, or any tool for these formats.
See docs/audit.md.

请将 policy 中的公钥与您另行取得的公钥核对：本文件不能为自身作证。
核验方法见 docs/audit.md。
"""


class Unreadable(ValueError):
    """The file is no bundle, or a member of it is damaged; the texts say which."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


class Verified(NamedTuple):
    """`size`: of the log; `checked`: entries in the bundle; `cosigned`: names of the witnesses' keys; `suite`: of the log."""

    report: Report
    size: int
    checked: int
    cosigned: frozenset[str]
    suite: str = ""


class Writer:
    """Writes a bundle; use it in a `with`. What fails half-way leaves no file of that name."""

    def __init__(self, path: Path, policy: str, checkpoint: str) -> None:
        self._path, self._draft = path, path.with_name(f"{path.name}.part")
        self._zip = zipfile.ZipFile(self._draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        for name, text in (("README.txt", README), ("policy", policy), ("checkpoint", checkpoint)):
            self._put(name, text.encode())
        self._checkpoint = checkpoint

    def tile(self, tile: Tile, content: bytes) -> None:
        """Add a file of the whole log."""
        self._put(tile.path, content, packed=tile.level < 0)

    def entry(self, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
        """Add one entry with its proof."""
        self._put(f"entry/{index}", leaf)
        lines = [PROOF, f"index {index}", *map(to_base64, proof), "", self._checkpoint]
        self._put(f"proof/{index}", "\n".join(lines).encode())

    def _put(self, name: str, content: bytes, *, packed: bool = True) -> None:
        """The time is left out: the same content gives the same bytes."""
        member = zipfile.ZipInfo(name)
        self._zip.writestr(member, content, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._zip.close()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()


def verify_bundle(
    path: Path,
    policy: str = "",
    *,
    key: str = "",
    kept: Sequence[str] = (),
    progress: Progress | None = None,
) -> Verified:
    """Check a bundle. `policy`: keys that the reader trusts, else the bundle's own; `key`: the only log's key to trust;
    `kept`: checkpoints of the log.

    Raises:
        Unreadable: the file is no bundle.
        PolicyError: the policy is none.
        Malformed: the key is none.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            return _Bundle(bundle, policy, key).verify(kept, progress)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise Unreadable(
            f"{path} is no bundle: {error}", f"{path} 不是审计包（{type(error).__name__}）"
        ) from None


class _Bundle:
    def __init__(self, bundle: zipfile.ZipFile, policy: str, key: str) -> None:
        self._zip, self._broken = bundle, list[Finding]()
        self._names = frozenset(bundle.namelist())
        if len(self._names) < len(bundle.namelist()):
            raise Unreadable(
                "a file stands in it twice, so that readers may see different ones",
                "包内有同名文件，不同的读取程序可能看到不同内容",
            )
        self._policy = parse_policy(policy or self._text("policy"))
        if key:
            self._policy = replace(self._policy, logs=(parse_verifier(key),))
        self._note = self._text("checkpoint")

    def verify(self, kept: Sequence[str], progress: Progress | None) -> Verified:
        size, root, log = self._head()
        if log is None:
            trusted = (f"{key.name}+{key.key_hash.hex()}" for key in self._policy.logs)
            finding = Finding(Kind.CHECKPOINT, detail=", ".join(trusted))
            return Verified(Report(0, merkle.EMPTY_ROOT, (finding,)), size, 0, frozenset())
        if any(name.startswith("tile/") for name in self._names) or not size:
            if size <= WIDTH * len(self._names):  # else some is missing, which is found
                tiles = (tile for level in (-1, 0) for tile in of_level(level, size))
                self._demand_only(tile.path for tile in tiles)
            report = verify_log(
                self._entries(size), self._note, log.encoded(), earlier=kept, progress=progress
            )
            checked = report.size
        else:
            indexes = sorted(int(m[1]) for m in map(_ENTRY.fullmatch, self._names) if m)
            self._demand_only(f"{kind}/{n}" for n in indexes for kind in ("entry", "proof"))
            here = Checkpoint(log.name, size, root)
            findings = [
                *_held(here, log, kept),
                *self._proven(indexes, here, log.suite.digest, progress),
            ]
            checked, report = len(indexes), Report(size, root, tuple(findings))
        report = replace(report, findings=(*self._broken, *report.findings))
        witnesses = [w.verifier for w in self._policy.witnesses]
        cosigned = cosigners(self._note, witnesses)
        if not self._policy.is_settled(cosigned):
            report = replace(report, findings=(Finding(Kind.QUORUM), *report.findings))
        return Verified(report, size, checked, cosigned, log.suite.name)

    def _head(self) -> tuple[int, bytes, Verifier | None]:
        """Return the checkpoint's size and root, and the key that signed it, if a trusted one did."""
        try:
            stated = parse_checkpoint(self._note.rpartition("\n\n")[0] + "\n")
        except Malformed as error:
            raise Unreadable(
                f"its checkpoint is none: {error}", f"其检查点（checkpoint）格式不符：{error.zh}"
            ) from None
        for log in self._policy.logs:
            try:
                checkpoint = verify_checkpoint(self._note, log)
            except (Malformed, Forged):
                continue
            return checkpoint.size, checkpoint.root, log
        self._demand_suite()
        return stated.size, stated.root, None

    def _demand_suite(self) -> None:
        """Raises Unreadable: by what the bundle says of itself, it is of a suite that no trusted log has."""
        trusted = {log.suite.name for log in self._policy.logs}
        try:
            own = {log.suite.name for log in parse_policy(self._text("policy")).logs}
        except PolicyError:
            return
        if own and not own & trusted:
            its, ours = ", ".join(sorted(own)), ", ".join(sorted(trusted))
            raise Unreadable(
                f"it is of a log of {its}, and the policy names only logs of "
                f"{ours or 'none'}: give a policy with the key of that log",
                f"其日志为 {its}，而策略文件只列出 {ours or '零个日志'}；请提供含该日志公钥的策略文件",
            )

    def _entries(self, size: int) -> Iterator[LogEntry]:
        """Yield the entries with the leaf hashes that lie beside them; it ends where something is missing."""
        for tile in of_level(-1, size):
            hashes = self._member(Tile(0, tile.index, tile.width).path, tile.start)
            content = self._member(tile.path, tile.start)
            if hashes is None or content is None:
                return
            leaves = [*_leaves(content)]
            for at, leaf in enumerate(leaves):
                digest = hashes[32 * at : 32 * at + 32] or bytes(32)  # no entry has that one
                yield parse_leaf(tile.start + at, leaf, digest)
            if len(hashes) > 32 * len(leaves):  # of entries that are not there
                yield parse_leaf(tile.start + len(leaves), b"", bytes(32))

    def _demand_only(self, names: Iterable[str]) -> None:
        """Raises Unreadable: there is a file that nothing which was signed speaks for, and a reader might believe it."""
        strange = sorted(self._names - BESIDE - {*names})
        if strange:
            raise Unreadable(
                f"its file {strange[0]!r} is none that was signed: take it out",
                f"包内文件 {strange[0]!r} 不在签名范围内；请将其移出",
            )

    def _proven(
        self,
        indexes: Sequence[int],
        here: Checkpoint,
        digest: Digest,
        progress: Progress | None,
    ) -> Iterator[Finding]:
        for count, index in enumerate(indexes, 1):
            leaf, proof = (self._member(f"{kind}/{index}", index) for kind in ("entry", "proof"))
            if leaf is not None and proof is not None:
                path = self._path(index, proof)
                hashed = merkle.leaf_hash(leaf, digest)
                if path is None or not merkle.inclusion_holds(
                    index, here.size, hashed, path, here.root, digest
                ):
                    yield Finding(Kind.CONTENT, index, index)
            if progress:
                progress(count)

    def _path(self, index: int, proof: bytes) -> list[bytes] | None:
        """Return the hashes of a tlog-proof; None where it is none, another one's, or of another checkpoint."""
        try:
            return self._hashes(index, proof.decode())
        except (Malformed, UnicodeDecodeError):
            return None

    def _hashes(self, index: int, proof: str) -> list[bytes]:
        head, _, note = proof.partition("\n\n")
        hashes = head.split("\n")
        if hashes[:2] != [PROOF, f"index {index}"] or note != self._note:
            raise Malformed("a proof of another entry or checkpoint", "该证明属于另一条目或检查点")
        return [from_base64(line, merkle.HASH_BYTES) for line in hashes[2:]]

    def _text(self, name: str) -> str:
        if name not in self._names:
            raise Unreadable(f"it has no {name}", f"包内缺少 {name}")
        try:
            return self._read(name, MOST_TEXT).decode()
        except DAMAGE as error:
            raise Unreadable(f"its {name} is damaged: {error}", f"包内 {name} 已损坏") from None

    def _member(self, name: str, first: int) -> bytes | None:
        """Return a member's content; None where it is missing or damaged, which is kept. `first`: its first entry."""
        try:
            return self._read(name, MOST_MEMBER)
        except (KeyError, *DAMAGE):
            self._broken.append(Finding(Kind.FILE, first, first, name))
            return None

    def _read(self, name: str, most: int) -> bytes:
        with self._zip.open(name) as member:
            return member.read(most)


def _held(here: Checkpoint, log: Verifier, kept: Sequence[str]) -> Iterator[Finding]:
    """Hold a bundle of some entries to what the reader kept. Raises Unreadable: it cannot be."""
    for note in kept:
        try:
            before = verify_checkpoint(note, log)
        except (Malformed, Forged) as error:
            yield Finding(Kind.CHECKPOINT, detail=str(error))
            continue
        if before.size != here.size:
            raise Unreadable(
                f"some entries cannot be held to a checkpoint of {before.size}, theirs is of {here.size}: "
                "take a bundle of the whole log",
                f"部分条目的审计包（{here.size} 条）无法与另一大小（{before.size} 条）的检查点比对；请使用全量审计包",
            )
        if before.root != here.root:
            yield Finding(Kind.FORK, detail=f"size {here.size}")


def _leaves(bundle: bytes) -> Iterator[bytes]:
    """Yield the entries of a bundle; the last may be cut short, and then is no entry that was signed."""
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        yield bundle[at + 2 : end]
        at = end
