"""Which kind of record a word on the command line means."""

import difflib
from collections.abc import Iterable, Mapping

from app.cli.failures import Failure
from luoshu.client.contract import Kind, kinds


def registries() -> Mapping[str, Kind]:
    """Return the kinds of record that can be registered here, by collection."""
    return {c: kind for c, kind in kinds().items() if f"List{kind.plural}" in _methods(kind)}


def _methods(kind: Kind) -> Mapping[str, object]:
    return kind.service.methods_by_name


def kind_of(word: str) -> Kind:
    """Return the kind that `platforms`, `platform` or `platforms/x` means. Raises Failure."""
    found = registries()
    collection = word.split("/", 1)[0].lower()
    for kind in found.values():
        if collection in (kind.collection, kind.noun.lower()):
            return kind
    raise Failure(
        f"no records called {collection!r}; {instead(collection, found)}",
        f"没有名为 {collection!r} 的记录；可用：{'、'.join(found)}",
    )


def kind_of_name(name: str) -> Kind:
    """Return the kind of the record that is named in full. Raises Failure."""
    if "/" not in name:
        raise Failure(
            f"{name!r} is no record's name; write it in full, such as platforms/{name}",
            f"{name!r} 不是完整的记录名称；请写成 platforms/{name} 的形式",
        )
    return kind_of(name)


def demand(kind: Kind, method: str) -> None:
    """Raises Failure where records of the kind cannot be treated so."""
    if method not in _methods(kind):
        raise Failure(
            f"{kind.collection} cannot be used so: there is no {method}",
            f"{kind.collection} 不支持此操作：没有 {method}",
        )


def instead(wrong: str, known: Iterable[str]) -> str:
    """Return what was probably meant, and everything that there is."""
    known = list(known)
    near = difflib.get_close_matches(wrong, known, 1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(known)}"
