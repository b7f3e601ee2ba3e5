"""What each rule of eligibility looks at, and what it finds; by families of rules. Pure: facts come through the case."""

from collections.abc import Callable, Mapping

from kernel.pack import EligibilityRule
from services.funding.checks.answers import (
    conditions_met,
    departments_agreed,
    findings_decided,
    no_duplicate,
)
from services.funding.checks.calls import consortium, recommending_units, window
from services.funding.checks.matter import Facts, Matter, Stage, Verdict, completes
from services.funding.checks.people import investigator_awards, overdue, sanctions
from services.funding.rules import A

__all__ = ["CHECKS", "NEXT", "Facts", "Matter", "Stage", "Verdict", "completes"]

CHECKS: Mapping[str, Callable[[EligibilityRule, Matter], Verdict]] = {
    "investigator_awards": investigator_awards,
    "overdue": overdue,
    "recommending_units": recommending_units,
    "window": window,
    "consortium": consortium,
    "sanctions": sanctions,
    "findings_decided": findings_decided,
    "no_duplicate": no_duplicate,
    "conditions_met": conditions_met,
    "departments_agreed": departments_agreed,
}
"""What the pack's rules may look at."""
NEXT = {
    A.STATE_DRAFT: Stage.SUBMISSION,
    A.STATE_RETURNED: Stage.SUBMISSION,
    A.STATE_CONTRACTED: Stage.PAYMENT,
    A.STATE_IN_PROGRESS: Stage.PAYMENT,
    A.STATE_COMPLETED: Stage.PAYMENT,
    A.STATE_EVALUATED: Stage.PAYMENT,
}
"""The stage that comes next; in every other state: the approval."""
