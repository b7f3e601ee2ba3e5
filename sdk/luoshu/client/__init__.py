"""Thin client of Luoshu: a channel that says who calls, retries what is repeatable, and raises
errors that can be acted on.

with connect("127.0.0.1:50051", department="DST", actor="li", roles=["case_officer"]) as luoshu:
    wanted = ListPlatformsRequest(filter="kind = 'key-laboratory'")
    for platform in iterate(luoshu.platforms.ListPlatforms, wanted):
        print(platform.title)
"""

from luoshu.client.channel import Client, connect
from luoshu.client.errors import (
    AlreadyExists,
    Denied,
    Invalid,
    LuoshuError,
    NotFound,
    Overloaded,
    Problem,
    Refused,
    Reused,
    Stale,
    TooLate,
    Unauthenticated,
    Unavailable,
    Unexpected,
    Unsupported,
)
from luoshu.client.identity import Identity
from luoshu.client.pages import follow, iterate, pages

__all__ = [
    "AlreadyExists",
    "Client",
    "Denied",
    "Identity",
    "Invalid",
    "LuoshuError",
    "NotFound",
    "Overloaded",
    "Problem",
    "Refused",
    "Reused",
    "Stale",
    "TooLate",
    "Unauthenticated",
    "Unavailable",
    "Unexpected",
    "Unsupported",
    "connect",
    "follow",
    "iterate",
    "pages",
]
