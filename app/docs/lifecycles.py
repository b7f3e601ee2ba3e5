"""docs/lifecycles.md: every lifecycle's table and its picture."""

from collections.abc import Iterator

from app.catalogue import REGISTRIES
from app.docs.contract import Contract
from app.docs.text import codes, table
from kernel.lifecycle import Lifecycle, Move
from kernel.registry import Resource, Service

ABOUT = """# Lifecycles

What may happen to a record, who may do it, and where it leads. The action `submit` of a platform is the RPC `SubmitPlatform`.
*Who* names roles, and how the caller's department or unit must stand to the record: *owner*, the unit that registered it;
*lead*, the leading department; *concerned*, one that is asked about it, or the leading one; *any*, the table does not ask (the
rule may). *Four eyes*: another account than the author's. *Working days*: how long the step may take, where that is set.

The pictures leave out what changes no state, and draw what may start in more than three states from the last of them only.
"""
MOST_DRAWN = 3
"""Arrows of one move; more would hide the way."""
HEADINGS = ("From", "Action", "To", "Who", "Four eyes", "Working days")


def page(contract: Contract) -> str:
    """Return the page."""
    every = [(service, resource) for service in REGISTRIES for resource in service.resources]
    links = [f"- [{r.noun}](#{r.singular}) ({s.name})\n" for s, r in every]
    return "\n".join([ABOUT, "".join(links), *(_section(contract, s, r) for s, r in every)])


def _section(contract: Contract, service: Service, resource: Resource) -> str:
    life = resource.lifecycle
    moves = [row for move in life.moves for row in _rows(life, move)]
    return "\n".join(
        (
            f"## {resource.noun}\n",
            f"Service {service.name}. Created by {codes(life.create_by)} as `{_short(life, life.initial)}`.\n",
            _states(contract, resource),
            table(HEADINGS, _merged(moves)),
            _diagram(life),
        )
    )


def _states(contract: Contract, resource: Resource) -> str:
    life = resource.lifecycle
    name = life.states.DESCRIPTOR.full_name
    rows = [
        (
            f"`{_short(life, state)}`",
            contract.comment(f"{name}.{life.state_name(state)}"),
            "yes" if state in life.public else "",
        )
        for state in life.states.values()
        if state
    ]
    return table(("State", "Meaning", "Public"), rows)


def _rows(life: Lifecycle, move: Move) -> Iterator[tuple[str, ...]]:
    targets = " or ".join(f"`{_short(life, state)}`" for state in move.targets)
    yield (
        ", ".join(f"`{_short(life, state)}`" for state in move.sources),
        f"`{move.name}`",
        "*(stays)*" if _stays(move) else targets,
        _who(move),
        "yes" if move.four_eyes else "",
        str(move.within or ""),
    )


def _stays(move: Move) -> bool:
    """A move between the same states changes the record, not its state."""
    return set(move.sources) == set(move.targets)


def _merged(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Lines that differ in the state they start from alone become one."""
    sources: dict[tuple[str, ...], list[str]] = {}
    for source, *rest in rows:
        sources.setdefault(tuple(rest), []).append(source)
    return [(", ".join(found), *rest) for rest, found in sources.items()]


def _who(move: Move) -> str:
    """Return roles by how their holder must stand to the record."""
    groups: dict[str, list[str]] = {}
    for role in move.by:
        groups.setdefault(move.relation(role), []).append(role)
    return "; ".join(f"{codes(roles)} ({of})" for of, roles in groups.items())


def _diagram(life: Lifecycle) -> str:
    arrows: dict[tuple[int, int], list[str]] = {}
    for move in life.moves:
        for source, target in _arrows(move):
            arrows.setdefault((source, target), []).append(move.name)
    lines = [f"    [*] --> {_short(life, life.initial)}"]
    lines += [
        f"    {_short(life, source)} --> {_short(life, target)}: {', '.join(names)}"
        for (source, target), names in arrows.items()
    ]
    sources = {s for move in life.moves if not _stays(move) for s in move.sources}
    ends = [state for state in life.states.values() if state and state not in sources]
    lines += [f"    {_short(life, state)} --> [*]" for state in ends]
    return "```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n"


def _arrows(move: Move) -> Iterator[tuple[int, int]]:
    if _stays(move):
        return
    many = len(move.sources) > MOST_DRAWN
    for source in move.sources[-1:] if many else move.sources:
        yield from ((source, target) for target in move.targets if target != source)


def _short(life: Lifecycle, state: int) -> str:
    return life.state_name(state).removeprefix("STATE_")
