"""What a rule of a domain may know and ask besides its record and its command."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from kernel.pack import Pack


class Role(StrEnum):
    """Roles of DOMAIN: who acts. The last three exclude one another; `system` is the services themselves."""

    APPLICANT = "applicant"
    RECOMMENDER = "recommender"
    CASE_OFFICER = "case_officer"
    EXPERT_REVIEWER = "expert_reviewer"
    APPROVER = "approver"
    FINANCE_OFFICER = "finance_officer"
    AUDITOR = "auditor"
    IMPORTER = "importer"
    OPERATOR = "operator"
    SYSTEM = "system"
    SYSTEM_ADMINISTRATOR = "system_administrator"
    SECURITY_ADMINISTRATOR = "security_administrator"
    AUDIT_ADMINISTRATOR = "audit_administrator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an account, the department or unit that it acts for, and the roles that it holds."""

    actor: str
    department: str
    roles: frozenset[str]
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """What another service's events, or its owner, said of a record."""

    name: str
    state: str
    title: str


class Case(Protocol):
    """The circumstances of one decision. Everything read through it is read under the journal's head lock."""

    @property
    def caller(self) -> Caller: ...

    @property
    def today(self) -> datetime.date:
        """Business date of the decision, Asia/Shanghai."""
        ...

    @property
    def effective(self) -> datetime.date:
        """From which business date on the change is true; never after `today`."""
        ...

    @property
    def importing(self) -> bool:
        """A historical row enters: what the source lacks is not demanded."""
        ...

    @property
    def pack(self) -> Pack: ...

    def get(self, name: str) -> Any:
        """Return another record of the same service, to read. Raises NotFound."""
        ...

    def known(self, name: str) -> Any | None:
        """Return a record of the same service, to read; None where there is none, or none that the caller may see."""
        ...

    def change(self, name: str) -> Any:
        """Return another record of the same service, to change together with this one. Raises NotFound."""
        ...

    def find(self, collection: str, where: Mapping[str, str | int]) -> Sequence[Any]:
        """Return the records of this service whose columns have these values, by name, to read; this one is left out.

        It looks past what the caller may see: a rule holds for everybody. What it tells has to be the caller's own, or public.
        Raises TypeError where no column is declared as `sought`.
        """
        ...

    def subject(self, person: Any) -> str:
        """Return the pseudonym of a person as a request gives it: the same person, the same pseudonym within a service."""
        ...

    def number(self, series: str) -> int:
        """Return the next number of a series: 1, 2, 3, … without gaps, given only to what is accepted."""
        ...

    def reference(self, name: str) -> Reference:
        """Return what is known of another service's record. Raises NotFound."""
        ...
