"""Sealed bids: while the bidding is open the register holds a digest, and its bidder the content and the salt."""

import hashlib
import secrets

from luoshu.technologies.v1.technologies_pb2 import SealedBid

SALT = 32  # bytes: nobody finds a content by trying


def new_salt() -> str:
    """Return a salt that nobody can guess, in hexadecimal; whoever loses it cannot open the bid."""
    return secrets.token_hex(SALT)


def seal_of(sealed: SealedBid) -> str:
    """Return the seal: SHA-256 over the message's bytes, as 64 hexadecimal digits.

    Technology, bidder, salt and content each stand in it with their length: no two bids have one seal.
    """
    return hashlib.sha256(sealed.SerializeToString(deterministic=True)).hexdigest()
