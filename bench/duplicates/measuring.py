"""Checks of honest works and of disguised ones, against an index of honest ones, by the code that serves."""

import datetime
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from bench.duplicates.corpus import ROOT, Work
from bench.duplicates.rewriting import DISGUISES, Rewrite
from kernel import database
from kernel.pack import load
from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import Index, tables_of
from services.coordination.duplicates.search import Search
from services.coordination.duplicates.text import take_apart

PACK = load(ROOT / "packs/henan")
DAY = datetime.date(2026, 6, 1)
STRANGER = "somebody else"


@dataclass(frozen=True)
class Check:
    """What checking one application found. `kind`: `honest`, or the disguise; `own`: it names the sources' applicant."""

    kind: str
    own: bool
    work: Work
    candidates: tuple[pb.Candidate, ...]
    rewrite: Rewrite | None = None

    @property
    def raised(self) -> set[str]:
        return {id_of(c) for c in self.candidates if c.raised}


def id_of(candidate: pb.Candidate) -> str:
    return candidate.application.removeprefix("applications/a")


def application(work: Work, name: str, applicant: str) -> funding.Application:
    return funding.Application(
        name=f"applications/{name}",
        state=funding.Application.STATE_SUBMITTED,
        title=work.title,
        abstract=work.abstract,
        applicant_unit=funding.Unit(name=applicant, foreign_id=applicant),
    )


@contextmanager
def indexed(works: Sequence[Work], search: Search) -> Iterator[sa.Connection]:
    """An index of the works, in a file that is gone afterwards."""
    metadata = sa.MetaData()
    tables_of(metadata)
    with TemporaryDirectory() as folder:
        engine = database.writing(f"sqlite:///{Path(folder)}/index.sqlite3")
        with engine.begin() as tx:
            metadata.create_all(tx)
            for position, work in enumerate(works, 1):
                document = Document(application(work, f"a{work.id}", work.applicant), position)
                search.index.put(tx, document, search.vector(document))
            yield tx
        engine.dispose()


def honest(tx: sa.Connection, search: Search, works: Sequence[Work]) -> Iterator[Check]:
    """Check every work against all others."""
    for work in works:
        document = Document(application(work, f"a{work.id}", work.applicant))
        found = search.candidates(tx, document, DAY)
        yield Check("honest", True, work, tuple(found))


def disguised(
    tx: sa.Connection, search: Search, works: Sequence[Work], seed: str, most: int
) -> Iterator[Check]:
    """Check disguises of a sample: every other one under another applicant's name."""
    for kind, disguise in DISGUISES.items():
        sample = random.Random(f"{seed}:{kind}").sample(list(works), min(most, len(works)))
        for number, work in enumerate(sample):
            dice = random.Random(f"{seed}:{kind}:{work.id}")
            others = [other for other in works if other.applicant != work.applicant]
            rewrite = disguise(work, others, dice)
            own = number % 2 == 0
            applicant = work.applicant if own else STRANGER
            document = Document(application(rewrite.work, "checked", applicant))
            yield Check(kind, own, work, tuple(search.candidates(tx, document, DAY)), rewrite)


def is_true(evidence: pb.Evidence, rewrite: Rewrite) -> bool:
    """Tell whether the quoted sentence was made of the one that stands beside it."""
    for new, old in rewrite.origins.items():
        near = evidence.quote.rstrip(".。") in new or new.rstrip(".。") in evidence.quote
        if near and old and (evidence.other_quote in old or old in evidence.other_quote):
            return True
    return False


def is_same_work(left: Work, right: Work) -> bool:
    """Tell whether two of one applicant's awards are one contract, or have nearly the same title: that is no *other* work."""
    if left.marks & right.marks:
        return True
    a, b = take_apart(left.title).terms, take_apart(right.title).terms
    return 2 * len(a & b) >= len(a | b)


def searching() -> Search:
    """Words only: across languages is measured by itself."""
    return Search(Index(postgres=False), PACK, meanings=None)
