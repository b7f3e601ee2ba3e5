"""Who calls. Until mutual TLS and tokens come: what the call's metadata says, believed on loopback only.

`luoshu-actor` (account), `luoshu-department` (department or credit code), `luoshu-roles` (comma-separated).
Values outside of ASCII are percent-encoded, as gRPC metadata demands.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote

from kernel.case import Caller
from kernel.errors import Invalid, Unauthenticated
from kernel.rights import check_roles

LIMIT = 128  # characters of a value


@dataclass(frozen=True, slots=True)
class Identity:
    """How callers are told apart. `believes`: metadata is taken at its word."""

    believes: bool

    def caller(self, metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """Return who calls. Raises Unauthenticated, Invalid, Denied."""
        told = [pair for pair in metadata if pair[0] in KEYS]
        said = dict(told)
        if len(said) < len(told):  # of two one reads the first, another the last
            raise _malformed("each key once", "每个键只能出现一次")
        actor, trace = said.get("luoshu-actor"), said.get("traceparent")
        if not self.believes or not actor:
            raise _nobody(self.believes)
        caller = _caller(actor, said.get("luoshu-department", ""), said.get("luoshu-roles", ""))
        return replace(caller, traceparent=_text(trace)) if trace else caller


KEYS = frozenset({"luoshu-actor", "luoshu-department", "luoshu-roles", "traceparent"})


@lru_cache(maxsize=4096)
def _caller(actor: str | bytes, department: str | bytes, roles: str | bytes) -> Caller:
    """The same few call over and over. Raises Invalid, Denied."""
    held = _roles(_text(roles))
    check_roles(held)
    return Caller(_text(actor), _text(department), held)


def is_loopback(address: str) -> bool:
    """Tell whether `host:port` can only be reached from this machine."""
    host = address.rsplit(":", 1)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or address.startswith("unix:")


def _roles(text: str) -> frozenset[str]:
    return frozenset(role.strip() for role in text.split(",") if role.strip())


def _text(value: str | bytes) -> str:
    text = unquote(value if isinstance(value, str) else value.decode("ascii", "replace"))
    if len(text) > LIMIT or not text.isprintable() or " " in text:
        raise _malformed(
            f"at most {LIMIT} printable characters without blanks",
            f"至多 {LIMIT} 个可见字符，不含空格",
        )
    return text


def _malformed(en: str, zh: str) -> Invalid:
    return Invalid(f"identity metadata: {en}", f"身份元数据：{zh}", reason="IDENTITY_MALFORMED")


def _nobody(believes: bool) -> Unauthenticated:
    if believes:
        return Unauthenticated(
            "say who calls with the metadata luoshu-actor, luoshu-department and luoshu-roles",
            "请在元数据中注明 luoshu-actor、luoshu-department、luoshu-roles",
        )
    return Unauthenticated(
        "this address accepts no development identity; see LUOSHU_DEVELOPMENT_IDENTITY",
        "此地址不接受开发身份；见 LUOSHU_DEVELOPMENT_IDENTITY",
    )
