"""The reports on PostgreSQL: the same bytes as on SQLite, and rebuilt from the topics."""

from collections.abc import Callable
from pathlib import Path

from app import migrate
from app.comparison import compared
from kernel import database as databases
from services.reports.store import METADATA
from tests.service import reports_story as story

Database = Callable[[str], str]


def some_months() -> story.Journals:
    """Events of three registries over three months, one of them late, one imported."""
    made = story.Journals()
    made.tick("2026-09-02")
    for n, title in enumerate(("嵩山", "黄河", "Åland", "zebra", "éclair"), 1):
        made.tell(story.platform(f"p{n}", title=title), "create", f"2026-09-0{n + 2}", state="DRAFT")  # fmt: skip
    made.tell(story.breakthrough("b"), "create", "2026-09-20", state="DRAFT")
    paid = story.application("a", requested_fen=7_00, approved_fen=5_00, paid_fen=3_00)
    made.tell(paid, "imported", "2026-10-01", state="IN_PROGRESS", effective="2026-09-15")
    made.tick("2026-10-02")
    made.tell(story.platform("p1"), "submit", "2026-10-10", state="SUBMITTED", effective="2026-09-30")  # fmt: skip
    made.tick("2026-11-03")
    made.tick("2026-12-01")
    return made


def test_the_same_events_give_the_same_reports_on_both_databases(
    database: Database, tmp_path: Path
) -> None:
    url = database("reports")
    migrate.upgrade("reports", url)
    live, beside = databases.writing(url), story.database(tmp_path)
    for engine in (live, beside):
        story.applied(engine, some_months())
    assert {("2026-09", 2), ("2026-10", 1), ("2026-11", 1)} <= story.editions(live).keys()
    with live.connect() as ours, beside.connect() as theirs:
        found = [compared(table, ours, theirs) for table in METADATA.sorted_tables]
    assert [one.difference for one in found if one.difference] == []
    assert all(one.live == one.rebuilt for one in found)
    live.dispose()
