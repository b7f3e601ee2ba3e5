"""Page tokens: where the next page goes on, good for one query only."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from kernel.errors import Invalid

FREE = ("page_size", "page_token", "include_event", "export")
"""What may change between the pages of one query."""
_TOKEN = re.compile(r"((?:[0-9]{1,18}\.)+)([0-9a-f]{16})")


def token_of(place: Iterable[int], request: Any) -> str:
    """Return the token of the page behind a place, which is some numbers."""
    text = "".join(f"{number}." for number in place) + _query(request)
    return urlsafe_b64encode(text.encode()).decode()


def place_of(request: Any, numbers: int) -> tuple[int, ...] | None:
    """Return the place of so many numbers that the request's token tells; None: it has none. Raises Invalid: it is another's."""
    if not request.page_token:
        return None
    try:
        text = urlsafe_b64decode(request.page_token).decode("ascii")
    except (Base64Error, ValueError):
        text = ""
    match = _TOKEN.fullmatch(text)
    place = tuple(map(int, match[1].split(".")[:-1])) if match else ()
    if match is None or match[2] != _query(request) or len(place) != numbers:
        raise Invalid(
            "the page token is of another query; start again without it",
            "分页令牌不属于本次查询；请去掉令牌重新开始",
            field="page_token",
        )
    return place


def _query(request: Any) -> str:
    """Return a fingerprint of what must not change between pages."""
    query = type(request)()
    query.CopyFrom(request)
    for field in FREE:
        if field in query.DESCRIPTOR.fields_by_name:
            query.ClearField(field)
    return sha256(query.SerializeToString(deterministic=True)).hexdigest()[:16]
