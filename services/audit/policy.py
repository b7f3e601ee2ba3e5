"""Whom to trust, as C2SP writes it (c2sp.org/tlog-policy): logs, witnesses, and how many of them.

log <key> [<url>]
witness <name> <key> [<url>]
group <name> all|any|<number> <member>…
quorum <name>|none
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from services.audit.keys import Malformed, Verifier, parse_verifier
from services.audit.suites import COSIGNATURE, LOGS, SHA_ED25519, Suite

NONE = "none"
LOG_TYPES = tuple(suite.kind for suite in LOGS)


class PolicyError(ValueError):
    """The text is no policy: names the line and what would work."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


@dataclass(frozen=True, slots=True)
class Witness:
    """`name`: within the policy, such as `DRC`; the key has a name of its own."""

    name: str
    verifier: Verifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """So many of its members, which are witnesses or groups."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """`quorum`: a witness, a group, or `none`."""

    logs: tuple[Verifier, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    @property
    def suite(self) -> Suite:
        """Suite of the first log."""
        return self.logs[0].suite if self.logs else SHA_ED25519

    def is_settled(self, signed: Collection[str]) -> bool:
        """Tell whether the cosignatures of these keys (by the keys' names) are enough."""
        keys = {witness.name: witness.verifier.name for witness in self.witnesses}
        names = {name for name, key in keys.items() if key in signed}
        return self.quorum == NONE or self._holds(self.quorum, names)

    def _holds(self, name: str, names: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._holds(member, names) for member in group.members) >= group.least

    def text(self) -> str:
        """Return the policy as a file has it."""
        logs = [f"log {log.encoded()}" for log in self.logs]
        witnesses = [
            f"witness {w.name} {w.verifier.encoded()} {w.url}".strip() for w in self.witnesses
        ]
        groups = [f"group {n} {g.least} {' '.join(g.members)}" for n, g in self.groups.items()]
        return "\n".join([*logs, *witnesses, *groups, f"quorum {self.quorum}", ""])


def parse_policy(text: str) -> Policy:
    """Read a policy; without a quorum line it is `none`. Raises PolicyError."""
    reader = _Reader()
    if not re.sub(r"[\r\n\t]", "", text).isprintable():
        raise PolicyError(
            "it has characters that a screen does not show; write names without",
            "含有不可显示的字符；请去掉",
        )
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            try:
                reader.take(words)
            except (Malformed, PolicyError) as error:
                raise PolicyError(
                    f"line {number}: {error}", f"第 {number} 行：{error.zh}"
                ) from None
    return Policy(tuple(reader.logs), tuple(reader.witnesses), reader.groups, reader.quorum or NONE)


class _Reader:
    def __init__(self) -> None:
        self.logs, self.witnesses = list[Verifier](), list[Witness]()
        self.groups, self.quorum = dict[str, Group](), ""
        self._names, self._publics = set[str](), set[bytes]()

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", key, *rest] if len(rest) < 2:
                self.logs.append(self._key(key, *LOG_TYPES))
            case ["witness", name, key, *rest] if len(rest) < 2:
                self._name(name)
                verifier = self._key(key, COSIGNATURE)
                self.witnesses.append(Witness(name, verifier, "".join(rest)))
            case ["group", name, count, *members] if members:
                known = self._known(members)
                self.groups[name] = Group(_least(count, known), known)
                self._name(name)
            case ["quorum", name] if not self.quorum:
                self.quorum = name if name == NONE else self._known([name])[0]
            case _:
                line = " ".join(words)[:80]
                raise PolicyError(
                    f"no line of a policy: {line}; it begins with log, witness, group or quorum",
                    f"不是策略文件的行：{line}；应以 log、witness、group 或 quorum 开头",
                )

    def _key(self, text: str, *kinds: bytes) -> Verifier:
        verifier = parse_verifier(text)
        if verifier.kind not in kinds:
            wanted = " or ".join(kind.hex() for kind in kinds)
            raise PolicyError(
                f"a key of type {verifier.kind.hex()}; here it is {wanted}",
                f"密钥类型为 {verifier.kind.hex()}；此处应为 {wanted}",
            )
        if verifier.public in self._publics:
            raise PolicyError("a key stands twice; keep one", "同一密钥出现两次；请保留一处")
        self._publics.add(verifier.public)
        return verifier

    def _name(self, name: str) -> None:
        if name in self._names or name == NONE:
            raise PolicyError(f"the name {name} is taken", f"名称 {name} 已被使用")
        self._names.add(name)

    def _known(self, names: Iterable[str]) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(names))
        unknown = [name for name in found if name not in self._names]
        if unknown:
            known = ", ".join(sorted(self._names)) or "-"
            raise PolicyError(
                f"no witness or group {unknown[0]} above; known: {known}",
                f"上文没有见证方或组 {unknown[0]}；已有：{known}",
            )
        return found


def _least(count: str, members: Collection[str]) -> int:
    words = {"all": len(members), "any": 1} | {str(n): n for n in range(1, len(members) + 1)}
    if count not in words:
        raise PolicyError(
            f"{count} of {len(members)} members; give all, any, or 1 to {len(members)}",
            f"{len(members)} 个成员中取 {count}；请写 all、any 或 1 至 {len(members)}",
        )
    return words[count]


def quorum_of(policy: Policy, least: int, names: Iterable[str]) -> Policy:
    """Return the policy with a quorum of so many of these witnesses, as far as it has them.

    Where it has too few nothing can be settled: the quorum is then `none`, which a reader is told.
    """
    known = {witness.name for witness in policy.witnesses}
    members = tuple(name for name in names if name in known)
    if not 1 <= least <= len(members):
        return Policy(policy.logs, policy.witnesses)
    groups = {"departments": Group(least, members)}
    return Policy(policy.logs, policy.witnesses, groups, "departments")
