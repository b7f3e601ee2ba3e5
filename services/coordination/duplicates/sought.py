"""Which documents have most of the keys that are sought: summed by the database, so that sixty rows leave it, not thousands."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

FOUND = 60
"""How many documents the keys find."""


class Sought:
    """One statement for any number of keys. `key`: the table of which documents have them."""

    def __init__(self, key: sa.Table, *, postgres: bool) -> None:
        self._postgres = postgres
        sought = _arrays() if postgres else _json()
        weight = sa.func.sum(sought.c.weight)
        self._statement = (
            sa.select(key.c.document)
            .select_from(sought.join(key, key.c.key == sought.c.key))
            .where(key.c.document != sa.bindparam("itself"))
            .group_by(key.c.document)
            .order_by(weight.desc(), key.c.document)
            .limit(FOUND)
        )

    def best(self, tx: sa.Connection, weights: Mapping[int, int], itself: int) -> list[int]:
        """Return the documents with the greatest weight of keys; of equals the lesser number."""
        given = self._given(weights) | {"itself": itself}
        return list(tx.execute(self._statement, given).scalars().all())

    def _given(self, weights: Mapping[int, int]) -> dict[str, Any]:
        if self._postgres:
            return {"sought": list(weights), "weights": list(weights.values())}
        return {"sought": json.dumps(list(weights.items()))}


def _arrays() -> sa.FromClause:
    from kernel.arrays import Array

    given = [sa.bindparam(name, type_=Array(sa.BigInteger())) for name in ("sought", "weights")]
    return sa.func.unnest(*given).table_valued("key", "weight").render_derived()


def _json() -> sa.FromClause:
    pairs = sa.func.json_each(sa.bindparam("sought", type_=sa.Text)).table_valued("value")
    key, weight = (sa.func.json_extract(pairs.c.value, f"$[{at}]") for at in (0, 1))
    return sa.select(key.label("key"), weight.label("weight")).subquery()
