"""What a rule of eligibility is asked about, and how it answers. Pure: facts come through the case."""

import datetime
from dataclasses import dataclass
from enum import StrEnum

from kernel.case import Case
from kernel.dates import to_date
from kernel.errors import NotFound
from luoshu.funding.v1 import funding_pb2 as pb

Facts = tuple[tuple[str, str], ...]
INVESTIGATOR = ("the principal investigator", "项目负责人")


class Stage(StrEnum):
    """When an application is held to the rules."""

    SUBMISSION = "submission"
    APPROVAL = "approval"
    PAYMENT = "payment"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Matter:
    """What is asked about. `days`: on each of them the rules have to hold; the last one is the newest."""

    application: pb.Application
    case: Case
    days: tuple[datetime.date, ...]

    @property
    def investigator(self) -> str:
        """The pseudonym; empty where nobody is named."""
        return self.case.subject(self.application.principal_investigator)

    @property
    def call(self) -> pb.Call | None:
        return self.case.get(self.application.call) if self.application.call else None

    def level(self, application: pb.Application) -> str:
        """Return the level of an award's money; provincial where its programme cannot be seen."""
        sources = self.case.pack.funding_sources
        source = application.funding_source or self._own_source(application.programme)
        return sources.get(source, self.days[-1]).level if source in sources else "unknown"

    def _own_source(self, programme: str) -> str:
        if not programme:
            return ""
        try:
            return str(self.case.get(programme).funding_source)
        except NotFound:
            return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says. `passed`: None where it asks nothing here. `code`, `field`: of the refusal."""

    passed: bool | None
    en: str
    zh: str
    facts: Facts = ()
    code: str = "NOT_ELIGIBLE"
    field: str = ""


def completes(application: pb.Application, today: datetime.date) -> bool:
    """Tell whether its days to complete are not over: then the window does not matter."""
    last = to_date(application.completion.complete_by)
    return last is not None and today <= last


def no_call() -> Verdict:
    """Say so of a row without a call."""
    return Verdict(None, "the row has no call here", "该项目在本系统没有对应的指南")


def nobody() -> Verdict:
    """Say so where no principal investigator is named."""
    return Verdict(None, "no principal investigator is named", "未填写项目负责人")
