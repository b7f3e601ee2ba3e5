"""The migration that brings the ledger: an older database gets the one that its journal gives."""

from pathlib import Path

import pytest
from alembic import command

from app import migrate
from tests.running import MovableClock, Running
from tests.service.registry_suite import furnish
from tests.service.test_registries_money import approve, entries, in_notice, pay, sign


@pytest.fixture
def furnished(tmp_path: Path) -> Running:
    """A process that has paid an award and was stopped."""
    running = Running(tmp_path, ["platforms", "technologies", "funding"], MovableClock()).start()
    furnish(running)
    first, second = in_notice(running, "suite", 2)
    approve(running, first)
    sign(running, first)
    pay(running, first, 1, 4321, "V-1")
    approve(running, second)
    running.stop()
    return running


def test_an_older_database_gets_the_ledger_of_its_journal(furnished: Running) -> None:
    before = entries(furnished)
    balances = furnished.rows("funding", "SELECT * FROM ledger_balance ORDER BY kind, application")
    assert len(before) == 8
    url = furnished.settings.database("funding")
    with furnished._opened("funding", migrate.database.writing) as tx:
        command.downgrade(migrate.config_of("funding", tx), "funding_0004")
    migrate.ready("funding", url)
    assert entries(furnished) == before
    assert balances == furnished.rows(
        "funding", "SELECT * FROM ledger_balance ORDER BY kind, application"
    )
