"""Which services there are: the one list that a new registry is added to."""

from dataclasses import dataclass
from functools import lru_cache

from kernel.consumer import React
from kernel.registry import Resource, Service
from services.coordination import consumer as coordination_consumer
from services.coordination.store import COORDINATION
from services.funding import consumer as funding_consumer
from services.funding.store import FUNDING
from services.platforms.store import PLATFORMS
from services.technologies import consumer as technologies_consumer
from services.technologies.store import TECHNOLOGIES

REGISTRIES: tuple[Service, ...] = (
    PLATFORMS,
    TECHNOLOGIES,
    FUNDING,
    COORDINATION,
)
"""The services with a journal, in the order of their default ports; a new one is added at the end."""

FOLLOWING: dict[str, dict[str, React]] = {
    TECHNOLOGIES.name: {"platforms": technologies_consumer.on_platforms},
    FUNDING.name: {
        "platforms": funding_consumer.on_platforms,
        "technologies": funding_consumer.on_technologies,
        "coordination": funding_consumer.on_coordination,
    },
    COORDINATION.name: {"funding": coordination_consumer.on_funding},
}
"""Which services react to whose events, and how."""

READERS = ("audit", "reports")
"""The services that only read journals."""

NAMES = (*(service.name for service in REGISTRIES), *READERS)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a kind of record lives."""

    service: Service
    resource: Resource


@lru_cache(maxsize=1)
def homes() -> dict[str, Home]:
    """Return collection → where it lives."""
    return {r.collection: Home(s, r) for s in REGISTRIES for r in s.resources}


def registry(name: str) -> Service | None:
    return next((service for service in REGISTRIES if service.name == name), None)
