"""Which services there are: the one list that a new registry is added to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from sqlalchemy import MetaData

from kernel.access import access_source
from kernel.case import Role
from kernel.consumer import Looking, React
from kernel.registry import Resource, Service
from kernel.room import Room
from kernel.rpc import Behaviour
from services.coordination import consumer as coordination_consumer
from services.coordination.agendas.following import Agendas, together
from services.coordination.duplicates import index
from services.coordination.duplicates.following import Duplicates
from services.coordination.duplicates.servicer import DuplicatesServicer
from services.coordination.servicer import Inbox
from services.funding import consumer as funding_consumer
from services.funding.servicer import Answers
from services.platforms import consumer as platforms_consumer
from services.technologies import consumer as technologies_consumer

NAMES = (
    "platforms",
    "technologies",
    "funding",
    "coordination",
    "audit",
    "reports",
)
"""Every service, in the order of its default ports; a new registry is added at the end."""

READERS = ("audit", "reports")
"""The services that only read journals."""

WITH_JOURNALS = tuple(name for name in NAMES if name not in READERS)


def _declared(name: str) -> Service:
    """Return what `services/<name>/store.py` declares under the service's own name, in capitals."""
    service: Service = getattr(import_module(f"services.{name}.store"), name.upper())
    return service


REGISTRIES = tuple(_declared(name) for name in WITH_JOURNALS)

JOURNALS = (*WITH_JOURNALS, *map(access_source, NAMES))
"""Every journal, by its source: those of changes, and every service's access journal. The audit follows all of them."""

EVENTS = {service.name: service.event for service in REGISTRIES}
"""What each registry's journal holds."""

APPROVALS = {
    service.name: frozenset(
        move.name
        for resource in service.resources
        for move in resource.lifecycle.moves
        if move.by == (Role.APPROVER,)
    )
    for service in REGISTRIES
}
"""Registry → the actions that only an approver may do."""

FOLLOWING: dict[str, dict[str, React]] = {
    "platforms": {"coordination": platforms_consumer.on_coordination},
    "technologies": {
        "platforms": technologies_consumer.on_platforms,
        "coordination": technologies_consumer.on_coordination,
    },
    "funding": {
        "platforms": funding_consumer.on_platforms,
        "technologies": funding_consumer.on_technologies,
        "coordination": funding_consumer.on_coordination,
    },
    "coordination": {
        "funding": coordination_consumer.on_funding,
        "platforms": coordination_consumer.on_platforms,
        "technologies": coordination_consumer.on_technologies,
    },
}
"""Which services react to whose events, and how."""

LOOKING: dict[str, dict[str, Callable[[Room], Looking]]] = {
    "coordination": {
        "funding": together(Duplicates.of, Agendas),
        "platforms": Agendas,
        "technologies": Agendas,
    }
}
"""What looks at its own tables before it reacts."""

TABLES: dict[str, tuple[Callable[[MetaData], object], ...]] = {"coordination": (index.tables_of,)}
"""Tables that a service's database has beside those of every registry."""


OWN: dict[str, tuple[Callable[[Room], Any], ...]] = {
    "coordination": (Inbox, DuplicatesServicer.of),
    "funding": (Answers,),
}
"""Who answers the RPCs that only this service has; a method is named as its RPC."""


def own_rpcs(servicer: Any) -> dict[str, Behaviour]:
    """Return a servicer's methods that are named as RPCs are."""
    return {name: getattr(servicer, name) for name in dir(servicer) if name[0].isupper()}


def own_behaviours(room: Room) -> dict[str, Behaviour]:
    """Return the code of the RPCs that only this room's service has."""
    servicers = OWN.get(room.service.name, ())
    return {name: code for made in servicers for name, code in own_rpcs(made(room)).items()}


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
