"""Bugs that the simulation found, each by itself: a run's numbers move when a statement is added, these do not."""

from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from kernel import database
from kernel.errors import Unsettled
from kernel.store import TransactionLoader
from kernel.writer import Work
from luoshu.journal.v1.journal_pb2 import Person
from tests.sim.points import trouble
from tests.unit.kernel_world import creation, schema, writer


def test_a_commit_that_fails_leaves_no_transaction_open(tmp_path: Path) -> None:
    """The next transaction of the pool's connection would never begin."""
    engine = database.writing(f"sqlite:///{tmp_path / 'any'}")
    with (
        patch.object(engine.dialect, "do_commit", side_effect=trouble("disk I/O error")),
        pytest.raises(sa.exc.OperationalError),
        engine.begin() as tx,
    ):
        tx.exec_driver_sql("CREATE TABLE any (one INTEGER)")
    with engine.connect() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one() == 0
    engine.dispose()


def test_an_error_of_the_database_while_deciding_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    """It is not told as a bug of the rule, and nothing of the transaction is done."""
    service = writer(schema(tmp_path / "toy.sqlite3"))
    person = creation(fields={"contact": Person(name="欧阳")})
    works = [Work((creation(),)), Work((person,))]
    with patch.object(TransactionLoader, "subject_key", side_effect=trouble("disk I/O error")):
        answers = service.write(works)
    assert [type(answer) for answer in answers] == [Unsettled, Unsettled]
    with service.engine.connect() as tx:
        assert service.store.head(tx) == 0
    service.engine.dispose()
