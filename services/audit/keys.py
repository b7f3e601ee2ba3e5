"""Keys of logs and witnesses, as Go's `golang.org/x/mod/sumdb/note` writes them: `name+hash+key` to verify,
`PRIVATE+KEY+name+hash+key` to sign. A key's type tells how it signs: `services.audit.suites`.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from services.audit.suites import COSIGNATURE, ED25519, SUITES, Missing, Suite, suite_of

TIME_BYTES = 8
HASH_BYTES = 4
PRIVATE = "PRIVATE+KEY+"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
"""What no name and no note has."""

WRONG_LENGTH = "not base64 of the right length", "不是长度正确的 base64 文本"
_NAME = re.compile(r"[^\s+]+")


class Malformed(ValueError):
    """The text is no note, no checkpoint or no key; the texts say what it lacks."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


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
            message = cosigned(message, int.from_bytes(time, "big"))
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


def generate(name: str, kind: bytes = ED25519) -> Signer:
    """Make a new key from the system's randomness. Raises Malformed for a name that cannot be."""
    return Signer(checked_name(name), SUITES[kind].generate(), kind)


def parse_signer(text: str) -> Signer:
    """Read `PRIVATE+KEY+name+hash+key`. Raises Malformed, which does not repeat the text."""
    if not text.startswith(PRIVATE):
        raise Malformed("a signer key begins with PRIVATE+KEY+", "签名私钥以 PRIVATE+KEY+ 开头")
    name, key_hash, key, suite = _decode(text.removeprefix(PRIVATE), lambda s: s.secret_bytes)
    signer = Signer(name, key, suite.kind)
    _check_hash(key_hash, signer.verifier)
    if not suite.accepts(signer.verifier.public, b"", signer.sign(b"")):
        raise Malformed("the secret part does not belong to the public one", "私钥与公钥不匹配")
    return signer


def parse_verifier(text: str) -> Verifier:
    """Read `name+hash+key`. Raises Malformed."""
    name, key_hash, key, suite = _decode(text, lambda s: s.public_bytes)
    verifier = Verifier(name, key, suite.kind)
    _check_hash(key_hash, verifier)
    return verifier


def cosigned(message: bytes, seconds: int) -> bytes:
    """Return what a witness signs: its time, then the checkpoint's text (tlog-cosignature v1)."""
    return f"cosignature/v1\ntime {seconds}\n".encode() + message


def _key_hash(name: str, key: bytes) -> bytes:
    return sha256(f"{name}\n".encode() + key).digest()[:HASH_BYTES]


def _check_hash(key_hash: str, verifier: Verifier) -> None:
    if key_hash != verifier.key_hash.hex():
        raise Malformed(
            "the key's hash does not fit the key: it was cut or altered",
            "密钥与其摘要不符：可能被截断或改动",
        )


def _encode(name: str, key_hash: bytes, key: bytes) -> str:
    return f"{checked_name(name)}+{key_hash.hex()}+{to_base64(key)}"


def _decode(text: str, length: Callable[[Suite], int]) -> tuple[str, str, bytes, Suite]:
    name, _, rest = text.partition("+")
    key_hash, _, encoded = rest.partition("+")
    raw = from_base64(encoded)
    suite = suite_of(raw)
    if suite is None:
        raise Malformed(
            "the key is of no type that is known here: Ed25519, or SM2 with SM3",
            "密钥类型未知；可用 Ed25519，或 SM2（配 SM3）",
        )
    if len(raw) != len(suite.kind) + length(suite):
        raise Malformed(*WRONG_LENGTH)
    try:
        suite.digest(b"")
    except Missing as error:
        raise Malformed(error.en, error.zh) from None
    return checked_name(name), key_hash, raw.removeprefix(suite.kind), suite


def checked_name(name: str) -> str:
    """Return the name. Raises Malformed: no key can have it."""
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise Malformed(
            "a key's name is printable, not empty, and has neither white space nor plus signs",
            "密钥名称须可显示、非空，且不含空白和加号",
        )
    return name


def to_base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def from_base64(text: str, length: int | None = None) -> bytes:
    """Decode strictly: one text for one value, so that no altered bit goes unseen."""
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Malformed("not base64", "不是 base64 文本") from None
    if to_base64(raw) != text or (length is not None and len(raw) != length):
        raise Malformed(*WRONG_LENGTH)
    return raw
