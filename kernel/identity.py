"""Who calls. Until mutual TLS and tokens come: what the call's metadata says, believed on loopback only.

`luoshu-actor` (account), `luoshu-department` (department or credit code), `luoshu-roles` (comma-separated).
Values outside of ASCII are percent-encoded, as gRPC metadata demands.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
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
        said = {key: _text(value) for key, value in metadata if key in KEYS}
        actor, roles = said.get("luoshu-actor", ""), _roles(said.get("luoshu-roles", ""))
        if not self.believes or not actor:
            raise _nobody(self.believes)
        check_roles(roles)
        return Caller(actor, said.get("luoshu-department", ""), roles, said.get("traceparent", ""))


KEYS = frozenset({"luoshu-actor", "luoshu-department", "luoshu-roles", "traceparent"})


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
        raise Invalid(
            f"identity metadata: at most {LIMIT} printable characters without blanks",
            f"身份元数据：至多 {LIMIT} 个可见字符，不含空格",
            reason="IDENTITY_MALFORMED",
        )
    return text


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
