"""C2SP signed notes (c2sp.org/signed-note), checkpoints (c2sp.org/tlog-checkpoint) and cosignatures
(c2sp.org/tlog-cosignature). A key's type tells how it signs: `services.audit.suites`.

A note is a text that ends with a newline, an empty line, and signature lines
`— name base64(key hash + signature)`. Keys are written as Go's `golang.org/x/mod/sumdb/note`
writes them: `name+hash+key` to verify, `PRIVATE+KEY+name+hash+key` to sign.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from services.audit.suites import COSIGNATURE, ED25519, SUITES, Missing, Suite, suite_of

TIME_BYTES = 8
HASH_BYTES = 4
MAX_SIGNATURES = 100
PRIVATE = "PRIVATE+KEY+"

_NAME = re.compile(r"[^\s+]+")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class Malformed(ValueError):
    """The text is no note, no checkpoint or no key."""


class Forged(ValueError):
    """The note does not carry a good signature by the key that was asked for."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A name with its public key and the key's type."""

    name: str
    public: bytes
    kind: bytes = ED25519

    @property
    def suite(self) -> Suite:
        return SUITES[self.kind]

    @property
    def key_hash(self) -> bytes:
        """First 4 bytes of SHA-256 of the name, a newline, the type and the public key."""
        return _key_hash(self.name, self.kind + self.public)

    def encoded(self) -> str:
        """Return the key as departments publish it."""
        return _encode(self.name, self.key_hash, self.kind + self.public)

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the key made the signature; a witness's begins with its time."""
        if self.kind == COSIGNATURE:
            time, signature = signature[:TIME_BYTES], signature[TIME_BYTES:]
            message = _cosigned(message, int.from_bytes(time, "big"))
        return self.suite.accepts(self.public, message, signature)


@dataclass(frozen=True, slots=True)
class Signer:
    """A name with its secret key, as its suite makes it, which no text form shows."""

    name: str
    seed: bytes = field(repr=False)
    kind: bytes = ED25519

    @property
    def suite(self) -> Suite:
        return SUITES[self.kind]

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.suite.public_of(self.seed), self.kind)

    def encoded(self) -> str:
        """Return the secret key as it is kept in a file."""
        return PRIVATE + _encode(self.name, self.verifier.key_hash, self.kind + self.seed)

    def sign(self, message: bytes) -> bytes:
        """Return the signature (64 bytes)."""
        return self.suite.sign(self.seed, message)

    def line(self, signature: bytes) -> str:
        """Return the line that stands under a note."""
        return f"— {self.name} {to_base64(self.verifier.key_hash + signature)}\n"


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


def generate(name: str, kind: bytes = ED25519) -> Signer:
    """Make a new key from the system's randomness. Raises Malformed for a name that cannot be."""
    return Signer(_checked_name(name), SUITES[kind].generate(), kind)


def parse_signer(text: str) -> Signer:
    """Read `PRIVATE+KEY+name+hash+key`. Raises Malformed, which does not repeat the text."""
    if not text.startswith(PRIVATE):
        raise Malformed("a signer key begins with PRIVATE+KEY+")
    name, key_hash, key, suite = _decode(text.removeprefix(PRIVATE), lambda s: s.secret_bytes)
    signer = Signer(name, key, suite.kind)
    _check_hash(key_hash, signer.verifier)
    if not suite.accepts(signer.verifier.public, b"", signer.sign(b"")):
        raise Malformed("the secret part does not belong to the public one")
    return signer


def parse_verifier(text: str) -> Verifier:
    """Read `name+hash+key`. Raises Malformed."""
    name, key_hash, key, suite = _decode(text, lambda s: s.public_bytes)
    verifier = Verifier(name, key, suite.kind)
    _check_hash(key_hash, verifier)
    return verifier


def sign(text: str, signer: Signer) -> str:
    """Return the note: the text with the signer's line. Raises Malformed for such a text."""
    _check_text(text)
    return f"{text}\n{signer.line(signer.sign(text.encode()))}"


def cosign(text: str, signer: Signer, seconds: int) -> str:
    """Return a witness's line for a checkpoint's text. `seconds`: the time, since 1970 (UTC)."""
    signature = signer.sign(_cosigned(text.encode(), seconds))
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


def _cosigned(message: bytes, seconds: int) -> bytes:
    """Return what a witness signs: its time, then the checkpoint's text (tlog-cosignature v1)."""
    return f"cosignature/v1\ntime {seconds}\n".encode() + message


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
        raise Malformed("a note is a text, an empty line and signature lines")
    text += "\n"
    _check_text(text)
    _check_text(lines)
    signatures = [_signature(line) for line in lines[:-1].split("\n")]
    if len(signatures) > MAX_SIGNATURES:
        raise Malformed(f"a note has at most {MAX_SIGNATURES} signatures")
    return text, signatures


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint from a note's text; extension lines are passed over. Raises Malformed."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise Malformed("a checkpoint has an origin, a size and a root hash, each on a line")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise Malformed("a checkpoint's size is a decimal number without leading zeros")
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
        raise Malformed("a signature line is: — name base64")
    raw = from_base64(match[2])
    if len(raw) <= HASH_BYTES:
        raise Malformed("a signature is longer than its key hash")
    return Signature(match[1], raw[:HASH_BYTES], raw[HASH_BYTES:])


def _key_hash(name: str, key: bytes) -> bytes:
    return sha256(f"{name}\n".encode() + key).digest()[:HASH_BYTES]


def _check_hash(key_hash: str, verifier: Verifier) -> None:
    if key_hash != verifier.key_hash.hex():
        raise Malformed("the key's hash does not fit the key: it was cut or altered")


def _encode(name: str, key_hash: bytes, key: bytes) -> str:
    return f"{_checked_name(name)}+{key_hash.hex()}+{to_base64(key)}"


def _decode(text: str, length: Callable[[Suite], int]) -> tuple[str, str, bytes, Suite]:
    name, _, rest = text.partition("+")
    key_hash, _, encoded = rest.partition("+")
    raw = from_base64(encoded)
    suite = suite_of(raw)
    if suite is None:
        raise Malformed("the key is of no type that is known here: Ed25519, or SM2 with SM3")
    if len(raw) != len(suite.kind) + length(suite):
        raise Malformed("not base64 of the right length")
    try:
        suite.digest(b"")
    except Missing as error:
        raise Malformed(str(error)) from None
    return _checked_name(name), key_hash, raw.removeprefix(suite.kind), suite


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or _CONTROL.search(name):
        raise Malformed("a key's name is not empty and has neither white space nor plus signs")
    return name


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise Malformed("a note's text ends with a newline and has no other control characters")


def to_base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def from_base64(text: str, length: int | None = None) -> bytes:
    """Decode strictly: one text for one value, so that no altered bit goes unseen."""
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Malformed("not base64") from None
    if to_base64(raw) != text or (length is not None and len(raw) != length):
        raise Malformed("not base64 of the right length")
    return raw
