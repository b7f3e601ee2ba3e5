"""What a caller can do wrong, in the domain's words; `kernel.status` maps each class to a gRPC status.

A text is safe to show: it says what is wrong, then what would work, never internals. English first, Chinese second.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: path of the field, stable code in capitals, text in both languages."""

    field: str
    code: str
    en: str
    zh: str


class DomainError(Exception):
    """A refusal that the caller can act on. `code` is stable and in capitals.

    `recorded`: the access journal has it already, where it is one that belongs there.
    """

    code = "REFUSED"
    recorded = False

    def __init__(self, en: str, zh: str, *, field: str = "", reason: str = "") -> None:
        super().__init__(en)
        self.en, self.zh, self.field = en, zh, field
        self.code = reason or self.code

    @property
    def problems(self) -> Sequence[Problem]:
        return (Problem(self.field, self.code, self.en, self.zh),)

    def within(self, path: str) -> "DomainError":
        """Return the same refusal, told from further out: `requests[7]` before its field."""
        field = f"{path}.{self.field}" if self.field else path
        return type(self)(f"{path}: {self.en}", f"{path}：{self.zh}", field=field, reason=self.code)

    def of_record(self, singular: str) -> "DomainError":
        """Return the same refusal, its field as the request's path: a platform's `title` is `platform.title`."""
        self.field = self.field and f"{singular}.{self.field}"
        return self


class Invalid(DomainError):
    """The request itself is wrong; sending it again cannot help."""

    code = "INVALID"


class Violated(Invalid):
    """The request breaks several rules of its contract at once."""

    code = "RULES_VIOLATED"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            "; ".join(f"{p.field or 'request'}: {p.en}" for p in problems),
            "；".join(f"{p.field or '请求'}：{p.zh}" for p in problems),
        )
        self._problems = tuple(problems)

    @property
    def problems(self) -> Sequence[Problem]:
        return self._problems

    def within(self, path: str) -> "Violated":
        return Violated([Problem(f"{path}.{p.field}", p.code, p.en, p.zh) for p in self._problems])

    def of_record(self, singular: str) -> "Violated":
        return self.within(singular)


class NotFound(DomainError):
    """No such record, or none that this caller may see."""

    code = "NOT_FOUND"


class Hidden(NotFound):
    """There is such a record, and this caller may not see it. It is told as if there were none."""


class UnknownReference(NotFound):
    """A record of another service of which no event has told yet: its owner can be asked. `name`: the record's."""

    code = "REFERENCE_UNKNOWN"

    def __init__(self, name: str, *, field: str = "") -> None:
        super().__init__(
            f"{name} is not registered; register it first, or correct the reference",
            f"{name} 未登记；请先登记，或更正所引用的名称",
            field=field,
        )
        self.name = name

    def within(self, path: str) -> "UnknownReference":
        return UnknownReference(self.name, field=path)


class AlreadyExists(DomainError):
    """The name is taken."""

    code = "ALREADY_EXISTS"


class Stale(DomainError):
    """The record moved on since the caller read it; read it again."""

    code = "STALE_ETAG"


class Refused(DomainError):
    """The record's state, or a rule of the domain, does not allow the action."""

    code = "STATE_FORBIDS"


class Denied(DomainError):
    """The caller lacks the right."""

    code = "PERMISSION_DENIED"


class Unauthenticated(DomainError):
    """Nobody says who calls."""

    code = "UNAUTHENTICATED"


class Reused(DomainError):
    """The request id was used before, for another content."""

    code = "REQUEST_ID_REUSED"

    def within(self, path: str) -> "Reused":
        """The id is the whole request's."""
        return self


class Overloaded(DomainError):
    """Too much is under way; try again a little later."""

    code = "OVERLOADED"
    retry_after = 1.0  # seconds

    @classmethod
    def now(cls) -> "Overloaded":
        return cls(
            "more calls come than can be answered in time, nothing was done; try again in a second",
            "请求过多，无法及时处理，未做任何更改；请一秒后重试",
        )


class OwnerSilent(DomainError):
    """Another service would have to be asked, and does not answer; nothing was done."""

    code = "OWNER_UNAVAILABLE"
    retry_after = 1.0  # seconds


class Silent(DomainError):
    """The database does not answer a read; a change that went before it is settled by its request id."""

    code = "DATABASE_UNAVAILABLE"
    retry_after = 1.0  # seconds


class Stopping(DomainError):
    """The service is being stopped; nothing was done."""

    code = "STOPPING"
    retry_after = 1.0  # seconds

    @classmethod
    def now(cls) -> "Stopping":
        return cls(
            "the service is stopping, nothing was done; try again in a moment",
            "服务正在停止，未做任何更改；请稍后重试",
        )


class Unsettled(DomainError):
    """The outcome is unknown; the same request id settles it."""

    code = "UNSETTLED"
    retry_after = 1.0  # seconds


class TooLate(DomainError):
    """The deadline passed before the answer was there; the same request id settles it."""

    code = "DEADLINE_EXCEEDED"
