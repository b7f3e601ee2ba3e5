"""Checks an audit bundle of Luoshu, offline and without any of Luoshu's code.

    python verify_bundle.py BUNDLE [--policy FILE] [--kept CHECKPOINT …]

It needs Python 3.11 and the package `cryptography`, and follows these documents only: RFC 6962 (section 2), and
C2SP's signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof and tlog-policy (https://c2sp.org).
`--policy`: keys that you got another way; without it the bundle's own are taken, which it says. `--kept`: checkpoints
that you kept from earlier: the log must still begin with them. Exit code 0: all is as it was signed; 5: it is not;
2: the command or a file's name is wrong.
"""

import argparse
import base64
import hashlib
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG_KEY, WITNESS_KEY, OTHER_SUITE = 1, 4, 0xFF  # first bytes of keys: their types
LEAF = re.compile(rb"luoshu-entry-v1\n([a-z][a-z0-9_]*)/(0|[1-9][0-9]*)/([1-9][0-9]*)\n")
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, OSError, RuntimeError, ValueError)
Key = tuple[str, bytes, bytes]  # name, key id, type byte and public key
Groups = dict[str, tuple[int, list[str]]]


class Wrong(Exception):
    """The bundle is not what was signed."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def read_key(text: str) -> Key:
    name, key_id, encoded = text.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    if sha256(f"{name}\n".encode(), key)[:4].hex() != key_id:
        raise Wrong(f"the key {name} was cut or altered")
    return name, bytes.fromhex(key_id), key


def read_policy(text: str) -> tuple[list[Key], dict[str, Key], Groups, str]:
    logs, witnesses, groups, quorum = list[Key](), dict[str, Key](), Groups(), "none"
    for words in (line.split() for line in text.splitlines()):
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "log":
            logs.append(read_key(words[1]))
        elif words[0] == "witness":
            witnesses[words[1]] = read_key(words[2])
        elif words[0] == "group":
            members = words[3:]
            count = {"all": len(members), "any": 1}.get(words[2]) or int(words[2])
            groups[words[1]] = (count, members)
        elif words[0] == "quorum":
            quorum = words[1]
        else:
            raise Wrong(f"the policy has a line that is none: {words[0]}")
    return logs, witnesses, groups, quorum


def is_settled(name: str, groups: Groups, signed: set[str]) -> bool:
    if name not in groups:
        return name in signed
    count, members = groups[name]
    return sum(is_settled(member, groups, signed) for member in members) >= count


def is_signed(note: str, key: Key) -> bool:
    """Tell whether a note carries a good signature of a key; a bad one of it is an error."""
    name, key_id, material = key
    text, _, lines = note.rpartition("\n\n")
    message, found = f"{text}\n".encode(), False
    for line in lines.splitlines():
        dash, signer, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash != "—" or (signer, raw[:4]) != (name, key_id):
            continue
        signature, signed = raw[4:], message
        if material[0] == WITNESS_KEY:
            seconds, signature = int.from_bytes(raw[4:12], "big"), raw[12:]
            signed = f"cosignature/v1\ntime {seconds}\n".encode() + message
        try:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature, signed)
        except InvalidSignature:
            raise Wrong(f"the signature of {name} does not fit the checkpoint") from None
        found = True
    return found


def read_checkpoint(note: str, logs: list[Key]) -> tuple[int, bytes]:
    """Return size and root of a checkpoint that a trusted log signed."""
    origin, size, root = note.split("\n")[:3]
    if any(key[0] == origin and key[2][0] == OTHER_SUITE for key in logs):
        raise Wrong(
            "the log is of another suite (SM3 and SM2), of which `luoshu audit verify` knows"
        )
    if not any(key[0] == origin and key[2][0] == LOG_KEY and is_signed(note, key) for key in logs):
        raise Wrong("the checkpoint is not signed by a log that the policy names")
    return int(size), base64.b64decode(root, validate=True)


class Tree:
    """Roots of the complete subtrees, the largest first (RFC 6962, section 2.1)."""

    def __init__(self) -> None:
        self.size, self.peaks = 0, list[bytes]()

    def append(self, leaf_hash: bytes) -> None:
        rest = self.size
        while rest & 1:
            leaf_hash = sha256(b"\x01", self.peaks.pop(), leaf_hash)
            rest >>= 1
        self.peaks.append(leaf_hash)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return sha256(b"")
        digest = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            digest = sha256(b"\x01", left, digest)
        return digest


def path_of(kind: str, index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    elements = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{kind}/{elements}" + (f".p/{width}" if width < 256 else "")


def whole_log(bundle: zipfile.ZipFile, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield each entry with the leaf hash that lies beside it."""
    for index in range(-(-size // 256)):
        width = min(256, size - 256 * index)
        entries = read(bundle, path_of("entries", index, width), 256 * index)
        hashes = read(bundle, path_of("0", index, width), 256 * index)
        at = 0
        for place in range(width):
            end = at + 2 + int.from_bytes(entries[at : at + 2], "big")
            if end > len(entries) or len(entries) < at + 2:
                raise Wrong(f"entry {256 * index + place} is missing")
            yield entries[at + 2 : end], hashes[32 * place : 32 * place + 32]
            at = end


def read(bundle: zipfile.ZipFile, name: str, index: int) -> bytes:
    try:
        return bundle.read(name)
    except DAMAGE as error:
        raise Wrong(f"entry {index}: {name} is missing or damaged ({error})") from None


def check_whole(bundle: zipfile.ZipFile, size: int, root: bytes, kept: dict[int, bytes]) -> int:
    """Recompute the root from the entries. Where it differs, the first entry that does not fit its hash is named."""
    computed, stored = Tree(), Tree()
    first, order, last = None, None, Counter[bytes]()
    for index, (entry, leaf_hash) in enumerate(whole_log(bundle, size)):
        digest = sha256(b"\x00", entry)
        if digest != leaf_hash and first is None:
            first = index
        head = LEAF.match(entry)
        if head is None or int(head[3]) != last[head[1]] + 1:
            order = index if order is None else order
        else:
            last[head[1]] += 1
        computed.append(digest)
        stored.append(leaf_hash)
        if index + 1 in kept and kept[index + 1] != computed.root():
            raise Wrong(
                f"the first {index + 1} entries are not those of a checkpoint that was kept"
            )
        if index % 4096 == 0:
            print(f"\r{index + 1}/{size}", end="", file=sys.stderr, flush=True)
    print(f"\r{size}/{size}", file=sys.stderr)
    if computed.root() != root:
        known = first is not None and stored.root() == root
        raise Wrong(
            f"entry {first} is not what was signed"
            if known
            else f"entries 0 to {size - 1} are not what was signed"
        )
    if first is not None:
        raise Wrong(f"entry {first}: the hash beside it is not that of the entry")
    if order is not None:
        raise Wrong(f"entry {order} is out of its journal's order")
    return size


def check_some(bundle: zipfile.ZipFile, size: int, root: bytes, note: str) -> int:
    """Follow each entry's proof to the root (RFC 6962, section 2.1.1)."""
    indexes = sorted(int(n[6:]) for n in bundle.namelist() if n.startswith("entry/"))
    for index in indexes:
        digest = sha256(b"\x00", read(bundle, f"entry/{index}", index))
        head, _, checkpoint = read(bundle, f"proof/{index}", index).decode().partition("\n\n")
        kind, which, *proof = head.split("\n")
        fits = (kind, which, checkpoint) == ("c2sp.org/tlog-proof@v1", f"index {index}", note)
        if not fits or not leads(
            index, size, digest, [base64.b64decode(p, validate=True) for p in proof], root
        ):
            raise Wrong(f"entry {index} is not what was signed")
    return len(indexes)


def leads(index: int, size: int, digest: bytes, proof: list[bytes], root: bytes) -> bool:
    if index >= size or any(len(step) != 32 for step in proof):
        return False
    place, last = index, size - 1
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = sha256(b"\x01", step, digest)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            digest = sha256(b"\x01", digest, step)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == root


def check(arguments: argparse.Namespace) -> str:
    """Return what was found good. Raises Wrong."""
    with zipfile.ZipFile(arguments.bundle) as bundle:
        own = bundle.read("policy").decode()
        policy = Path(arguments.policy).read_text("utf-8") if arguments.policy else own
        logs, witnesses, groups, quorum = read_policy(policy)
        note = bundle.read("checkpoint").decode()
        size, root = read_checkpoint(note, logs)
        signed = {
            name
            for name, key in witnesses.items()
            if key[2][0] == WITNESS_KEY and is_signed(note, key)
        }
        if quorum != "none" and not is_settled(quorum, groups, signed):
            raise Wrong(f"cosigned by {sorted(signed) or 'nobody'}: that is no quorum")
        kept = dict(read_checkpoint(Path(p).read_text("utf-8"), logs) for p in arguments.kept)
        if any(at > size for at in kept):
            raise Wrong("a checkpoint that was kept is of a larger log: this one was cut back")
        whole = any(name.startswith("tile/") for name in bundle.namelist()) or size == 0
        count = (
            check_whole(bundle, size, root, kept) if whole else check_some(bundle, size, root, note)
        )
    witnessed = (
        f"cosigned by {', '.join(sorted(signed))}"
        if signed
        else "cosigned by nobody: the log's own word"
    )
    trust = "" if arguments.policy else "; the keys are the bundle's own: compare them with yours"
    return f"{count} of {size} entries are what was signed, {witnessed}{trust}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks an audit bundle.")
    parser.add_argument("bundle")
    parser.add_argument("--policy", default="")
    parser.add_argument("--kept", action="append", default=[])
    asked = parser.parse_args()
    for file in filter(None, (asked.bundle, asked.policy, *asked.kept)):
        if not Path(file).is_file():
            parser.error(f"no such file: {file}")
    try:
        print(check(asked))
    except (Wrong, *DAMAGE) as error:
        print(f"NOT what was signed: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
