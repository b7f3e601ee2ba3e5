"""C2SP signed notes (c2sp.org/signed-note), checkpoints (c2sp.org/tlog-checkpoint) and cosignatures
(c2sp.org/tlog-cosignature).

A note is a text that ends with a newline, an empty line, and signature lines
`— name base64(key hash + signature)`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from services.audit.keys import (
    CONTROL,
    HASH_BYTES,
    TIME_BYTES,
    Malformed,
    Signer,
    Verifier,
    cosigned,
    from_base64,
    to_base64,
)

MAX_SIGNATURES = 100

_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


class Forged(ValueError):
    """The note does not carry a good signature by the key that was asked for."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states: its origin, its number of entries and their root hash (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the body of the note, which is what is signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_hash: bytes
    signature: bytes


def sign(text: str, signer: Signer) -> str:
    """Return the note: the text with the signer's line. Raises Malformed for such a text."""
    _check_text(text)
    return f"{text}\n{signer.line(signer.sign(text.encode()))}"


def cosign(text: str, signer: Signer, seconds: int) -> str:
    """Return a witness's line for a checkpoint's text. `seconds`: the time, since 1970 (UTC)."""
    signature = signer.sign(cosigned(text.encode(), seconds))
    return signer.line(seconds.to_bytes(TIME_BYTES, "big") + signature)


def cosigners(note: str, verifiers: Iterable[Verifier]) -> frozenset[str]:
    """Return the names of those whose good signature the note carries, and no bad one. Raises Malformed."""
    _, signatures = parse(note)
    carried = {(line.name, line.key_hash) for line in signatures}
    return frozenset(
        v.name for v in verifiers if (v.name, v.key_hash) in carried and _is_good(note, v)
    )


def _is_good(note: str, verifier: Verifier) -> bool:
    try:
        verify(note, verifier)
    except Forged:
        return False
    return True


def verify(note: str, verifier: Verifier) -> str:
    """Return the note's text when the key signed it; lines of other keys are passed over.

    Raises:
        Malformed: it is no note.
        Forged: the key's signature is missing or wrong.
    """
    text, signatures = parse(note)
    mine = [s for s in signatures if (s.name, s.key_hash) == (verifier.name, verifier.key_hash)]
    if not mine:
        raise Forged(f"the note is not signed by {verifier.name}+{verifier.key_hash.hex()}")
    if not all(verifier.accepts(text.encode(), line.signature) for line in mine):
        raise Forged(f"the signature of {verifier.name} does not fit the note")
    return text


def only(note: str, verifier: Verifier) -> str:
    """Return the note with the lines of one key. Raises Malformed."""
    text, signatures = parse(note)
    mine = [s for s in signatures if (s.name, s.key_hash) == (verifier.name, verifier.key_hash)]
    lines = [f"— {s.name} {to_base64(s.key_hash + s.signature)}\n" for s in mine]
    return f"{text}\n{''.join(lines)}"


def parse(note: str) -> tuple[str, list[Signature]]:
    """Split a note into its text and its signatures, none of them verified. Raises Malformed."""
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise Malformed(
            "a note is a text, an empty line and signature lines",
            "签名文书由正文、空行和签名行组成",
        )
    text += "\n"
    _check_text(text)
    _check_text(lines)
    signatures = [_signature(line) for line in lines[:-1].split("\n")]
    if len(signatures) > MAX_SIGNATURES:
        raise Malformed(
            f"a note has at most {MAX_SIGNATURES} signatures", f"签名不得超过 {MAX_SIGNATURES} 个"
        )
    return text, signatures


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint from a note's text; extension lines are passed over. Raises Malformed."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise Malformed(
            "a checkpoint has an origin, a size and a root hash, each on a line",
            "检查点由来源名、条数、根哈希组成，各占一行",
        )
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise Malformed(
            "a checkpoint's size is a decimal number without leading zeros",
            "检查点的条数须为十进制数，不带前导零",
        )
    return Checkpoint(origin, int(size), from_base64(root, 32))


def sign_checkpoint(size: int, root: bytes, signer: Signer) -> str:
    """Return the signed checkpoint; the log's origin is the name of its key."""
    return sign(Checkpoint(signer.name, size, root).text(), signer)


def verify_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """Return what the log stated. Raises Malformed, Forged (also for another log's origin)."""
    checkpoint = parse_checkpoint(verify(note, verifier))
    if checkpoint.origin != verifier.name:
        raise Forged(f"the checkpoint is of {checkpoint.origin}, not of {verifier.name}")
    return checkpoint


def _signature(line: str) -> Signature:
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise Malformed("a signature line is: — name base64", "签名行的格式为：— 名称 base64")
    raw = from_base64(match[2])
    if len(raw) <= HASH_BYTES:
        raise Malformed("a signature is longer than its key hash", "签名过短，只有密钥摘要")
    return Signature(match[1], raw[:HASH_BYTES], raw[HASH_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or CONTROL.search(text):
        raise Malformed(
            "a note's text ends with a newline and has no other control characters",
            "正文须以换行结尾，且不含其他控制字符",
        )
