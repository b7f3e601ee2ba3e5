"""How a log hashes and how its key signs. The type that stands before a key tells which suite it is.

A type is that of c2sp.org/signed-note. SM2 has none there: it stands behind 0xff, which the specification keeps for such, with
a name of its own. SM3 is GB/T 32905, SM2 is GB/T 32918; they come with the extra `sm`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

Digest = Callable[[bytes], bytes]
"""Bytes → their hash, 32 bytes."""

ED25519 = b"\x01"
"""Type byte of a plain Ed25519 key: it signs a note's text."""
COSIGNATURE = b"\x04"
"""Type byte of a witness's Ed25519 key: it signs a checkpoint's text with a time (tlog-cosignature v1)."""
SM2 = b"\xffluoshu.sm2-sm3.v1"
"""Type of a log's SM2 key. It signs a note's text, with SM3 and the signer's name of GM/T 0009: 1234567812345678."""
HALF = 32
"""Bytes of a number of the curve: an SM2 signature is r and s, a public key is x and y."""


class Missing(RuntimeError):
    """The extra `sm` is not installed."""

    def __init__(self) -> None:
        self.en = "SM2 and SM3 need the extra sm: pip install 'luoshu[sm]'"
        self.zh = "SM2 与 SM3 需要可选组件 sm：pip install 'luoshu[sm]'"
        super().__init__(self.en)


@dataclass(frozen=True, slots=True)
class Suite:
    """`kind`: the type of its keys. A secret is what `generate` gives; lengths are in bytes."""

    name: str
    kind: bytes
    public_bytes: int
    secret_bytes: int
    digest: Digest
    generate: Callable[[], bytes]
    public_of: Callable[[bytes], bytes]
    sign: Callable[[bytes, bytes], bytes]
    accepts: Callable[[bytes, bytes, bytes], bool]


def sha_256(content: bytes) -> bytes:
    return sha256(content).digest()


def _ed25519_public(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _ed25519_sign(secret: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def _ed25519_accepts(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _gm() -> Any:
    """Return the library, loaded only where there is such a log. Raises Missing."""
    try:
        import gmssl_pyx
    except ImportError:
        raise Missing from None
    return gmssl_pyx


def sm_3(content: bytes) -> bytes:
    """Raises Missing."""
    digest: bytes = _gm().sm3_hash(content)
    return digest


def _sm2_generate() -> bytes:
    """Return the private key with the public one behind it: the library does not compute the one from the other."""
    public, private = _gm().sm2_key_generate()
    return bytes(private + public)


def _sm2_public(secret: bytes) -> bytes:
    return secret[HALF:]


def _sm2_sign(secret: bytes, message: bytes) -> bytes:
    signature = _gm().sm2_sign(secret[:HALF], secret[HALF:], message)
    return b"".join(number.to_bytes(HALF, "big") for number in decode_dss_signature(signature))


def _sm2_accepts(public: bytes, message: bytes, signature: bytes) -> bool:
    """A signature has one form, r and s: the library's own, DER, has several."""
    gm = _gm()
    if len(signature) != 2 * HALF:
        return False
    r, s = (int.from_bytes(part, "big") for part in (signature[:HALF], signature[HALF:]))
    try:
        return bool(gm.sm2_verify(public, message, encode_dss_signature(r, s)))
    except gm.GmsslInnerError:  # the key is no point of the curve
        return False


SHA_ED25519 = Suite(
    "sha256-ed25519",
    ED25519,
    32,
    32,
    sha_256,
    lambda: Ed25519PrivateKey.generate().private_bytes_raw(),
    _ed25519_public,
    _ed25519_sign,
    _ed25519_accepts,
)
WITNESS = replace(SHA_ED25519, name="cosignature", kind=COSIGNATURE)
SM3_SM2 = Suite(
    "sm3-sm2",
    SM2,
    2 * HALF,
    3 * HALF,
    sm_3,
    _sm2_generate,
    _sm2_public,
    _sm2_sign,
    _sm2_accepts,
)

LOGS = (SHA_ED25519, SM3_SM2)
"""The suites of logs."""
SUITES = {suite.kind: suite for suite in (*LOGS, WITNESS)}


def suite_of(typed_key: bytes) -> Suite | None:
    """Return the suite of a key that begins with its type; None for one that is not known."""
    return next((s for kind, s in SUITES.items() if typed_key.startswith(kind)), None)
