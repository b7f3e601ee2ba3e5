"""Which rules and numbers the pack has, and which test tries each at its boundary: the day before, the day, the day after."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from app.settings import ROOT
from kernel.pack import Pack, load

PACK = load(ROOT / "packs" / "henan")
TRIED: set[str] = set()
T = TypeVar("T", bound=Callable[..., Any])


def tries(*what: str) -> Callable[[T], T]:
    """Say what a test tries at its boundary."""

    def said(test: T) -> T:
        TRIED.update(what)
        return test

    return said


def numbers(pack: Pack) -> Iterator[str]:
    """Yield every rule and number of eligibility.yaml, funding.yaml, reviews.yaml and calendar.yaml; documents.yaml has none."""
    yield from (f"eligibility/{rule.id}" for rule in pack.eligibility)
    yield from (f"rules/{rule.id}" for rule in pack.rules)
    yield from (f"notices/{notice.id}" for notice in pack.notices)
    yield from (f"calendar/{year.id}" for year in pack.calendar)
    for rule in pack.review_rules:
        for part in ("due", "remind", "escalation", "silence", "condition"):
            yield f"review_rules/{rule.id}/{part}"
    for programme in pack.programmes:
        yield from (f"ceilings/{programme.id}/{c.year}" for c in programme.ceilings)
    yield from (f"funding_sources/{source.id}" for source in pack.funding_sources)
    yield from (f"remits/{remit.id}" for remit in pack.remits)
    yield from (f"deputies/{deputy.id}" for deputy in pack.deputies)
