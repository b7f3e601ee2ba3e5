"""Checks an audit bundle of Luoshu, offline and without any of Luoshu's code.

    python verify_bundle.py BUNDLE [--policy FILE] [--kept CHECKPOINT …]

It needs Python 3.11 or newer and the package `cryptography`, and follows these documents only: RFC 6962 (section 2), and
C2SP's signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof and tlog-policy (https://c2sp.org).
`--policy`: keys that you got another way; without it the bundle's own are taken, which it says. `--kept`: checkpoints
that you kept from earlier: the log must still begin with them. Exit code 0: all is as it was signed; 5: it is not;
2: the command, a file's name or the policy given is wrong.
"""

import argparse
import base64
import functools
import hashlib
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ModuleNotFoundError:
    sys.exit("needed · 需要安装：pip install cryptography")

LOG_KEY, WITNESS_KEY, OTHER_SUITE = 1, 4, 0xFF  # first bytes of keys: their types
LEAF = re.compile(rb"luoshu-entry-v1\n([a-z][a-z0-9_]*/(?:0|[1-9][0-9]*))/([1-9][0-9]*)\n")
HEAD = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*")
BESIDE = {"README.txt", "policy", "checkpoint"}
MOST = 256 * (2 + 65_535) + 1  # bytes of a file that no bundle has
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, OSError, RuntimeError, ValueError)
Key = tuple[str, bytes, bytes]  # name, key id, type byte and public key
unpacked = functools.partial(base64.b64decode, validate=True)


class Wrong(Exception):
    """The bundle is not what was signed."""


def demand(good: object, text: str) -> None:
    if not good:
        raise Wrong(text)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def read_key(text: str) -> Key:
    name, key_id, encoded = text.split("+", 2)
    key = unpacked(encoded)
    fits = sha256(f"{name}\n".encode(), key)[:4].hex() == key_id
    demand(fits, f"the key {name} was cut or altered")
    return name, bytes.fromhex(key_id), key


class Policy:
    """Whom to trust: `log KEY`, `witness NAME KEY`, `group NAME COUNT MEMBER…`, `quorum NAME`."""

    def __init__(self, text: str) -> None:
        self.logs, self.witnesses, self.quorum = list[Key](), dict[str, Key](), "none"
        self.groups = dict[str, tuple[int, set[str]]]()
        demand(re.sub(r"[\r\n\t]", "", text).isprintable(), "the policy has hidden characters")
        for words in (line.split() for line in text.splitlines()):
            match words:
                case ["log", key, *_]:
                    self.logs.append(read_key(key))
                case ["witness", name, key, *_] if name not in self.witnesses:
                    self.witnesses[name] = read_key(key)
                case ["group", name, count, *members] if name not in self.groups:
                    least = {"all": len(set(members)), "any": 1}.get(count) or int(count)
                    self.groups[name] = least, set(members)
                case ["quorum", name] if self.quorum == "none":
                    self.quorum = name
                case [word, *_] if not word.startswith("#"):
                    raise Wrong(f"the policy has a line that is none, or twice: {word}")
        keys = [key[2][1:] for key in (*self.logs, *self.witnesses.values())]
        demand(len(keys) == len(set(keys)), "the policy names a key twice")
        counts = all(0 < least <= len(members) for least, members in self.groups.values())
        demand(counts, "the policy has a group that wants nobody, or more than it has")

    def is_settled(self, name: str, signed: set[str]) -> bool:
        if name not in self.groups:
            return name in signed
        least, members = self.groups[name]
        return sum(self.is_settled(member, signed) for member in members) >= least

    def read(self, note: str) -> tuple[str, int, bytes]:
        """Return origin, size and root of a checkpoint that a trusted log signed."""
        head = HEAD.fullmatch(note.rpartition("\n\n")[0] + "\n")
        origin, size, root = head.groups() if head else ("", "", "")
        mine = [key for key in self.logs if key[0] == origin]
        other = any(key[2][0] == OTHER_SUITE for key in mine)
        demand(not other, "the log is of SM3 and SM2, which only `luoshu audit verify` knows")
        signed = any(key[2][0] == LOG_KEY and is_signed(note, key) for key in mine)
        demand(signed, "the checkpoint is not signed by a log that the policy names")
        return origin, int(size), unpacked(root)


def is_signed(note: str, key: Key) -> bool:
    """Tell whether a note carries a good signature of a key; a bad one of it is an error."""
    name, key_id, material = key
    text, _, lines = note.rpartition("\n\n")
    found = False
    for line in lines.removesuffix("\n").split("\n"):
        dash, signer, encoded = line.split(" ")
        raw, message = unpacked(encoded), f"{text}\n".encode()
        if (dash, signer, raw[:4]) != ("—", name, key_id):
            continue
        signature, found = raw[4:], True
        if material[0] == WITNESS_KEY:
            seconds, signature = int.from_bytes(raw[4:12], "big"), raw[12:]
            message = f"cosignature/v1\ntime {seconds}\n".encode() + message
        try:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature, message)
        except InvalidSignature:
            raise Wrong(f"the signature of {name} does not fit the checkpoint") from None
    return found


def root_of(hashes: list[bytes]) -> bytes:
    """Return the root of a tree from its leaves' hashes (RFC 6962, section 2.1)."""
    while len(hashes) > 1:
        pairs = [sha256(b"\x01", *hashes[at : at + 2]) for at in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[2 * len(pairs) :]
    return hashes[0] if hashes else sha256(b"")


def climbed(index: int, size: int, digest: bytes, proof: list[bytes]) -> bytes:
    """Return the root that a leaf's proof leads to (RFC 6962, section 2.1.1)."""
    if size == 1:
        demand(not proof, "too long a proof")
        return digest
    *rest, step = proof
    half = 1 << ((size - 1).bit_length() - 1)
    if index < half:
        return sha256(b"\x01", climbed(index, half, digest, rest), step)
    return sha256(b"\x01", step, climbed(index - half, size - half, digest, rest))


def path_of(kind: str, index: int, width: int) -> str:
    digits = f"{index:0{-(-len(str(index)) // 3) * 3}}"
    *outer, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
    partial = f".p/{width}" if width < 256 else ""
    return f"tile/{kind}/" + "".join(f"x{part}/" for part in outer) + last + partial


class Bundle:
    def __init__(self, file: zipfile.ZipFile, policy: str, kept: list[str]) -> None:
        self.file, self.names = file, set(file.namelist())
        demand(len(self.names) == len(file.namelist()), "a file stands in it twice")
        self.policy = Policy(policy or self.read("policy").decode())
        self.note = self.read("checkpoint").decode()
        self.origin, self.size, self.root = self.policy.read(self.note)
        self.kept = {self.size: self.root}
        for origin, size, root in map(self.policy.read, kept):
            demand(origin == self.origin, f"a checkpoint that was kept is of another log, {origin}")
            demand(size <= self.size, "a checkpoint that was kept is of a larger log than this")
            fork = self.kept.setdefault(size, root) != root
            demand(not fork, f"the log signed two heads of {size} entries: it is forked")

    def read(self, name: str, index: int | None = None) -> bytes:
        try:
            with self.file.open(name) as member:
                return member.read(MOST)
        except DAMAGE as error:
            where = name if index is None else f"entry {index}: {name}"
            raise Wrong(f"{where} is missing or damaged ({error})") from None

    def has_only(self, names: set[str]) -> None:
        strange = sorted(self.names - names - BESIDE)
        demand(not strange, f"nothing that was signed speaks for its file {strange[:1]}")

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each entry with the leaf hash that lies beside it."""
        count = -(-self.size // 256)
        demand(count <= len(self.names), "most of its files are missing")
        tiles = [(n, min(256, self.size - 256 * n)) for n in range(count)]
        self.has_only({path_of(kind, *tile) for tile in tiles for kind in ("entries", "0")})
        for number, width in tiles:
            first, at = 256 * number, 0
            entries = self.read(path_of("entries", number, width), first)
            hashes = self.read(path_of("0", number, width), first)
            for place in range(width):
                start, length = at + 2, int.from_bytes(entries[at : at + 2], "big")
                at = start + length
                demand(start <= at <= len(entries), f"entry {first + place} is missing")
                yield entries[start:at], hashes[32 * place : 32 * place + 32]
            exact = (len(entries), len(hashes)) == (at, 32 * width)
            demand(exact, f"entry {first + width}: more is there than was signed")

    def check_whole(self) -> int:
        """Recompute the root; where it differs, name the first entry that its hash does not fit."""
        computed, stored, wrong = list[bytes](), list[bytes](), list[int]()
        last = dict[bytes, int]()
        for index, (entry, leaf_hash) in enumerate(self.entries()):
            computed.append(sha256(b"\x00", entry))
            stored.append(leaf_hash)
            head = LEAF.match(entry)
            journal, position = (head[1], int(head[2])) if head else (b"", 0)
            if position != last.get(journal, 0) + 1:
                wrong.append(index)
            last[journal] = position
            if index % 4096 == 0 or index + 1 == self.size:
                print(f"\r{index + 1}/{self.size}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        altered = [at for at in range(self.size) if computed[at] != stored[at]]
        good = [at for at, root in self.kept.items() if root_of(computed[:at]) == root]
        for bad in sorted(self.kept.keys() - good):
            exact = altered and root_of(stored[:bad]) == self.kept[bad]
            first = (
                f"entry {altered[0]} is" if exact else f"entries {max([0, *good])} to {bad - 1} are"
            )
            raise Wrong(f"{first} not what was signed")
        demand(not altered, f"entry {altered[:1]}: the hash beside it is not that of the entry")
        demand(not wrong, f"entry {wrong[:1]} is out of its journal's order")
        return self.size

    def check_some(self) -> int:
        """Follow each entry's proof to the root."""
        alone = len(self.kept) == 1
        demand(alone, "some entries cannot be held to a kept head of another size: take them all")
        indexes = sorted(int(name[6:]) for name in self.names if name.startswith("entry/"))
        self.has_only({f"{kind}/{index}" for index in indexes for kind in ("entry", "proof")})
        for index in indexes:
            digest = sha256(b"\x00", self.read(f"entry/{index}", index))
            text = self.read(f"proof/{index}", index).decode()
            head, _, note = text.partition("\n\n")
            steps = [unpacked(step) for step in head.split("\n")[2:]]
            said = ["c2sp.org/tlog-proof@v1", f"index {index}"]
            fits = head.split("\n")[:2] == said and note == self.note
            fits = fits and index < self.size and all(len(step) == 32 for step in steps)
            leads = fits and climbed(index, self.size, digest, steps) == self.root
            demand(leads, f"entry {index} is not what was signed")
        return len(indexes)


def check(file: IO[bytes], policy: str, kept: list[str]) -> str:
    """Return what was found good. Raises Wrong."""
    with zipfile.ZipFile(file) as opened:
        bundle = Bundle(opened, policy, kept)
        keys = {n: k for n, k in bundle.policy.witnesses.items() if k[2][0] == WITNESS_KEY}
        signed = {name for name, key in keys.items() if is_signed(bundle.note, key)}
        names = ", ".join(sorted(signed)) or "nobody: the log's own word"
        settled = bundle.policy.is_settled(bundle.policy.quorum, signed | {"none"})
        demand(settled, f"cosigned by {names}: that is no quorum")
        some = bundle.size and not any(name.startswith("tile/") for name in bundle.names)
        count = bundle.check_some() if some else bundle.check_whole()
    trust = "" if policy else "; the keys are the bundle's own: compare them with yours"
    if bundle.size and not count:
        trust = f"; it has no entry: only the checkpoint was checked{trust}"
    return f"{count} of {bundle.size} entries are what was signed, cosigned by {names}{trust}"


def main() -> int:
    text = argparse.FileType("r", encoding="utf-8")
    parser = argparse.ArgumentParser(description="Checks an audit bundle.")
    parser.add_argument("bundle", type=argparse.FileType("rb"), help="what to check · 审计包")
    policy = "keys that you got another way (tlog-policy) · 另行取得的公钥文件"
    parser.add_argument("--policy", type=text, metavar="FILE", help=policy)
    kept = "a checkpoint that you kept; may be repeated · 先前保存的检查点，可重复"
    parser.add_argument("--kept", type=text, metavar="FILE", action="append", default=[], help=kept)
    said = parser.parse_args()
    try:
        trusted = said.policy.read() if said.policy else ""
        heads = [file.read() for file in said.kept]
        demand(not trusted or Policy(trusted).logs, "the policy names no log")
    except (Wrong, ValueError) as error:
        parser.error(f"--policy or --kept: {error}")
    try:
        print(check(said.bundle, trusted, heads))
    except (Wrong, *DAMAGE) as error:
        print(f"NOT what was signed: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
