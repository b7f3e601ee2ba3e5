"""An empty index in a file, applications that are about something, and a search over them."""

import datetime
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kernel import database
from kernel.dates import from_date
from kernel.pack import load
from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Person
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import Index, tables_of
from services.coordination.duplicates.search import Search

A = funding.Application.State
UNIT, OTHER_UNIT = "91110000710926094P", "914403001922038216"
DAY = datetime.date(2026, 3, 16)
PACK = load(Path(__file__).parents[2] / "packs/henan")
BATTERY = (
    "本项目研究硫化物固态电解质与锂金属负极之间的界面阻抗演化规律。通过原位阻抗谱和冷冻电镜观察枝晶萌生过程。"
    "提出梯度掺杂的人工界面层，使临界电流密度达到每平方厘米三毫安。最终研制二十安时软包电池并通过针刺试验。"
)
RADAR = (
    "We will build a ground moving target indicator radar that suppresses clutter from wind-blown foliage. "
    "A recurrent network separates Doppler spectra of leaves from those of slow vehicles. "
    "Flight trials over forest will measure the probability of detection against the false alarm rate."
)
WHEAT = (
    "针对黄淮海平原小麦赤霉病频发的问题，构建抗病种质资源库。利用全基因组关联分析定位抗性位点，"
    "开发低成本分子标记。选育两个高产抗病新品种并在五个县示范推广。"
)
GAME = (
    "The researchers will extend an immersive virtual reality game in which pupils learn to write programs. "
    "An adaptive tutor chooses the next puzzle from each pupil's mistakes. "
    "A pilot study in a middle school will compare engagement and skill before and after."
)


def application(
    name: str, title: str, abstract: str, *, department: str = "DST", unit: str = UNIT, **more: Any
) -> funding.Application:
    said = {"state": A.STATE_SUBMITTED, "owner_unit": unit, **more}
    return funding.Application(
        name=f"applications/{name}",
        title=title,
        abstract=abstract,
        lead_department=department,
        applicant_unit=funding.Unit(name="某单位", code=unit),
        **said,
    )


def lasting(given: funding.Application, first: str, last: str) -> funding.Application:
    for field, day in (("start_date", first), ("end_date", last)):
        getattr(given, field).CopyFrom(from_date(datetime.date.fromisoformat(day)))
    return given


def investigator(subject: str) -> Person:
    return Person(subject=subject)


@contextmanager
def indexed(path: Path, given: Iterable[funding.Application]) -> Iterator[sa.Connection]:
    """An index of these applications, entered in this order."""
    engine = database.writing(f"sqlite:///{path}/index.sqlite3")
    metadata = sa.MetaData()
    tables_of(metadata)
    with engine.begin() as tx:
        metadata.create_all(tx)
        for position, one in enumerate(given, 1):
            INDEX.put(tx, Document(one, position), b"")
        yield tx
    engine.dispose()


INDEX = Index(postgres=False)
SEARCH = Search(INDEX, PACK, meanings=None)


def candidates(tx: sa.Connection, given: funding.Application) -> dict[str, pb.Candidate]:
    """Return what an application may be a duplicate of, by name."""
    found = SEARCH.candidates(tx, Document(given, 99), DAY)
    return {candidate.application: candidate for candidate in found}


def raised(tx: sa.Connection, given: funding.Application) -> set[str]:
    return {name for name, candidate in candidates(tx, given).items() if candidate.raised}
