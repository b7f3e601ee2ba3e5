"""The index of duplicates on both databases: the same candidates, with the same scores and evidence, whatever came first."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import sqlalchemy as sa

from kernel.database import is_sqlite, writing
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import Index, tables_of
from services.coordination.duplicates.search import Search
from tests.unit.duplicates_world import (
    BATTERY,
    DAY,
    GAME,
    OTHER_UNIT,
    PACK,
    RADAR,
    UNIT,
    WHEAT,
    A,
    application,
)

TEXTS = (BATTERY, RADAR, WHEAT, GAME)


def _corpus() -> list[funding.Application]:
    """Sixty applications of sentences by chance; some are withdrawn, so that what leaves is under test too."""
    dice, made = random.Random(7), []
    sentences = [
        part for text in TEXTS for part in text.replace("。", "。|").replace(". ", ". |").split("|")
    ]
    for number in range(60):
        said = "".join(dice.sample(sentences, dice.randint(2, 6)))
        unit = dice.choice((UNIT, OTHER_UNIT))
        state = A.STATE_WITHDRAWN if number % 10 == 9 else A.STATE_SUBMITTED
        made.append(application(f"a{number}", f"题目 {number}", said, unit=unit, state=state))
    return made


def _answers(url: str, given: Sequence[funding.Application]) -> list[bytes]:
    """Return what checking each finds, after all have come, each as submitted first."""
    index = Index(postgres=not is_sqlite(url))
    search, metadata = Search(index, PACK, meanings=None), sa.MetaData()
    tables_of(metadata)
    engine = writing(url)
    with engine.begin() as tx:
        metadata.create_all(tx)
        for one in given:
            first = funding.Application()
            first.CopyFrom(one)
            first.state = A.STATE_SUBMITTED
            index.put(tx, Document(first, 1), b"")
            index.put(tx, Document(one, 1), b"")
        checked = sorted(given, key=lambda one: one.name)
        answers = [search.candidates(tx, Document(one, 1), DAY) for one in checked]
    engine.dispose()
    assert any(candidate.raised for found in answers for candidate in found)
    return [c.SerializeToString(deterministic=True) for found in answers for c in found]


def test_both_databases_find_the_same_in_any_order_of_arrival(
    database: Callable[[str], str], tmp_path: Path
) -> None:
    given = _corpus()
    other = random.Random(8).sample(given, len(given))
    on_sqlite = _answers(f"sqlite:///{tmp_path}/index.sqlite3", given)
    assert _answers(database("duplicates"), other) == on_sqlite
