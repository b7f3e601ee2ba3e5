"""Sealed bids: while the bidding is open the register holds a digest, and its bidder the content and the salt."""

import hashlib
import secrets

from luoshu.technologies.v1.technologies_pb2 import BidContent

SALT = 32  # bytes: nobody finds a content by trying


def new_salt() -> str:
    """Return a salt that nobody can guess, in hexadecimal; whoever loses it cannot open the bid."""
    return secrets.token_hex(SALT)


def seal_of(content: BidContent, salt: str) -> str:
    """Return the seal: SHA-256 over the salt's bytes, then over the content's, as 64 hexadecimal digits."""
    return hashlib.sha256(
        bytes.fromhex(salt) + content.SerializeToString(deterministic=True)
    ).hexdigest()
