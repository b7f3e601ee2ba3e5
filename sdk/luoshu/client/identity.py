"""Who calls, as the metadata of every call: `luoshu-department`, `luoshu-actor`, `luoshu-roles`."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

SAFE = "!#$&'()*+-./:;<=>?@[]^_`{|}~ "
"""ASCII that stands for itself; `%` and `,` do not, since one escapes and the other separates
roles.
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account, the department or unit that it acts for, and the roles that it claims.

    `token`: a bearer token, if any.
    """

    department: str
    actor: str
    roles: tuple[str, ...] = ()
    token: str = ""

    def metadata(self) -> Sequence[tuple[str, str]]:
        """Return the pairs to send; what is not ASCII is percent-encoded UTF-8, since gRPC metadata
        is ASCII.
        """
        pairs = [
            ("luoshu-department", quote(self.department, safe=SAFE)),
            ("luoshu-actor", quote(self.actor, safe=SAFE)),
            ("luoshu-roles", ",".join(quote(role, safe=SAFE) for role in self.roles)),
        ]
        if self.token:
            pairs.append(("authorization", f"Bearer {self.token}"))
        return pairs
