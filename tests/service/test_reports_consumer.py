"""Facts, watermarks, months that close, late events: the same events give the same bytes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import migrate
from kernel.consumer import Gap, Stuck
from kernel.database import writing
from kernel.dates import from_date
from kernel.pack import Pack, Plan, Register
from luoshu.platforms.v1.platforms_pb2 import Platform
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.consumer import ReportsSink
from services.reports.document import build, canonical, figures_of, parsed
from services.reports.figures import Cell
from services.reports.periods import parse
from services.reports.store import EDITION, FACT, STANDING
from services.reports.views import View
from tests.service.reports_story import (
    SOURCES,
    Journals,
    application,
    applied,
    breakthrough,
    database,
    day,
    editions,
    pack,
    platform,
)

T3 = Cell("board.henan-2025-38", "T3", "counted")


def recognized(key: str, on: str, **fields: Any) -> Platform:
    return platform(key, recognition_date=from_date(day(on)), **fields)


def closed(journals: Journals, folder: Path) -> dict[tuple[str, int], pb.Report]:
    engine = applied(database(folder), journals)
    return {key: parsed(content) for key, content in editions(engine).items()}


def table(report: pb.Report, name: str) -> dict[str, list[int]]:
    found = next(t for t in report.tables if t.id == name)
    return {row.key: list(row.values) for row in found.rows}


def target(report: pb.Report, key: str) -> pb.Target:
    return next(t for board in report.boards for t in board.targets if t.id == key)


@pytest.fixture
def november() -> Journals:
    """A platform that was recognised on the 10th of November 2026."""
    journals = Journals()
    journals.tick("2026-11-02")
    journals.tell(platform("a"), "create", "2026-11-03", state="DRAFT")
    journals.tell(recognized("a", "2026-11-10"), "recognize", "2026-11-10", state="RECOGNIZED")
    return journals


def test_a_month_stays_open_until_every_source_told_a_later_day(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2026-12-01", ["platforms", "technologies", "funding"])
    engine = applied(database(tmp_path), november)
    assert editions(engine) == {}
    november.tick("2026-12-01", ["coordination"])
    assert list(editions(applied(engine, november))) == [("2026-11", 1)]


def test_a_month_does_not_close_on_its_own_last_day(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-11-30")
    assert closed(november, tmp_path) == {}


def test_the_first_month_is_that_of_the_first_event_of_any_source(
    november: Journals, tmp_path: Path
) -> None:
    november.tell(breakthrough("b"), "imported", "2026-12-31", state="COMPLETED")
    november.tick("2027-02-01")
    assert list(closed(november, tmp_path)) == [("2026-11", 1), ("2026-12", 1), ("2027-01", 1)]


def test_a_closed_month_shows_what_was_true_on_its_last_day(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2026-12-01")
    november.tell(platform("a"), "revoke", "2026-12-02", state="REVOKED")
    november.tick("2027-01-01")
    reports = closed(november, tmp_path)
    assert table(reports["2026-11", 1], "platforms.state") == {"STATE_RECOGNIZED": [1, 1]}
    assert table(reports["2026-12", 1], "platforms.state") == {
        "STATE_RECOGNIZED": [0, -1],
        "STATE_REVOKED": [1, 1],
    }
    assert target(reports["2026-11", 1], "T3").counted == 1
    assert target(reports["2026-12", 1], "T3").counted == 0


def test_history_that_arrives_late_does_not_displace_a_later_truth(
    november: Journals, tmp_path: Path
) -> None:
    november.tell(platform("a"), "imported", "2026-11-12", state="NURTURED", effective="2024-05-01")
    november.tick("2026-12-01")
    report = closed(november, tmp_path)["2026-11", 1]
    assert table(report, "platforms.state") == {
        "STATE_NURTURED": [0, -1],
        "STATE_RECOGNIZED": [1, 1],
    }


def test_a_late_event_makes_a_second_edition_with_the_differences(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2026-12-01")
    late = recognized("b", "2026-11-28", division="410300")
    entry = november.tell(
        late, "recognize", "2026-12-03", state="RECOGNIZED", effective="2026-11-28"
    )
    november.tick("2026-12-05")
    reports = closed(november, tmp_path)
    first, second = reports["2026-11", 1], reports["2026-11", 2]
    assert (first.differences, target(first, "T3").counted) == ([], 1)
    found = {Cell(d.figure.table, d.figure.row, d.figure.column): d for d in second.differences}
    assert (found[T3].before, found[T3].after) == (1, 2)
    luoyang = found[Cell("platforms.division", "410300", "recognized")]
    assert (luoyang.before, luoyang.after, luoyang.event_count) == (0, 1, 1)
    assert [(e.source, e.position) for e in luoyang.events] == [("platforms", entry.position)]


def test_the_differences_are_exactly_what_differs(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-12-01")
    moved = platform("a", lead_department="DIIT", recognition_date=from_date(day("2026-11-10")))
    november.tell(moved, "rename", "2026-12-03", state="OPERATING", effective="2026-11-29")
    november.tick("2026-12-05")
    reports = closed(november, tmp_path)
    before, after = (figures_of(reports["2026-11", n]) for n in (1, 2))
    differing = {cell for cell in {**before, **after} if before.get(cell, 0) != after.get(cell, 0)}
    told = {
        Cell(d.figure.table, d.figure.row, d.figure.column): (d.before, d.after)
        for d in reports["2026-11", 2].differences
    }
    assert told == {cell: (before.get(cell, 0), after.get(cell, 0)) for cell in differing}
    assert all(d.event_count == 1 for d in reports["2026-11", 2].differences)


def test_late_events_of_one_day_make_one_edition(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-12-01")
    for key in ("b", "c"):
        late = recognized(key, "2026-11-28")
        november.tell(late, "recognize", "2026-12-03", state="RECOGNIZED", effective="2026-11-28")
    november.tick("2026-12-05")
    reports = closed(november, tmp_path)
    assert list(reports) == [("2026-11", 1), ("2026-11", 2)]
    assert target(reports["2026-11", 2], "T3").counted == 3


def test_a_late_event_that_changes_no_figure_makes_no_edition(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2026-12-01")
    same = recognized("a", "2026-11-10", abstract="another text")
    november.tell(same, "rename", "2026-12-03", state="RECOGNIZED", effective="2026-12-03")
    november.tell(platform("d"), "update", "2026-12-03", state="DRAFT")
    november.tick("2026-12-05")
    assert list(closed(november, tmp_path)) == [("2026-11", 1)]


def test_a_late_event_renews_every_closed_month_from_its_own_on(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2027-01-01")
    late = recognized("b", "2026-11-28")
    november.tell(late, "recognize", "2027-01-04", state="RECOGNIZED", effective="2026-11-28")
    november.tick("2027-01-05")
    assert list(closed(november, tmp_path)) == [
        ("2026-11", 1),
        ("2026-11", 2),
        ("2026-12", 1),
        ("2026-12", 2),
    ]


def test_records_that_change_places_are_a_difference_though_the_number_stays(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2026-12-01")
    november.tell(platform("a"), "revoke", "2026-12-03", state="REVOKED", effective="2026-11-30")
    other = recognized("b", "2026-11-28")
    november.tell(other, "recognize", "2026-12-03", state="RECOGNIZED", effective="2026-11-28")
    november.tick("2026-12-05")
    second = closed(november, tmp_path)["2026-11", 2]
    (swapped,) = (d for d in second.differences if d.figure.row == "T3")
    assert (swapped.before, swapped.after, swapped.event_count) == (1, 1, 2)


def test_a_record_that_counts_no_more_since_another_went_the_same_way_is_told_with_the_others_event(
    november: Journals, tmp_path: Path
) -> None:
    """Both went into one that does not count itself, and the second is told of late: of the two one counts, the first by name."""
    into = {"successors": ["platforms/whole"]}
    november.tell(recognized("b", "2026-11-10", **into), "merge", "2026-11-20", state="MERGED")
    november.tick("2026-12-01")
    late = recognized("a", "2026-11-10", **into)
    entry = november.tell(late, "merge", "2026-12-03", state="MERGED", effective="2026-11-25")
    november.tick("2026-12-05")
    second = closed(november, tmp_path)["2026-11", 2]
    (fewer,) = (d for d in second.differences if d.figure.row == "T3")
    assert (fewer.before, fewer.after, fewer.event_count) == (2, 1, 1)
    assert [event.position for event in fewer.events] == [entry.position]


def test_where_each_record_counts_for_itself_no_other_ones_event_is_named(
    november: Journals, tmp_path: Path
) -> None:
    """Two that went the same way: one stops counting late, the other gets another title, by which no figure is another."""
    into = {"successors": ["platforms/whole"]}
    for key in ("b", "c"):
        november.tell(recognized(key, "2026-11-10", **into), "merge", "2026-11-20", state="MERGED")
    november.tick("2026-12-01")
    gone = recognized("b", "2026-11-10", **into)
    entry = november.tell(gone, "revoke", "2026-12-03", state="REVOKED", effective="2026-11-28")
    named = recognized("c", "2026-11-10", title="改名", **into)
    november.tell(named, "update", "2026-12-03", state="MERGED", effective="2026-11-28")
    november.tick("2026-12-05")
    engine = database(tmp_path)
    sink = ReportsSink(engine, each_for_itself(pack()))
    for source in SOURCES:
        sink.apply(source, november.entries[source])
    second = parsed(editions(engine)["2026-11", 2])
    (fewer,) = (d for d in second.differences if d.figure.row == "T3")
    assert (fewer.before, fewer.after) == (3, 2)
    assert [event.position for event in fewer.events] == [entry.position]


def each_for_itself(pack: Pack) -> Pack:
    """Return the pack whose targets count every record, also of those that went into one another."""

    def apart(plan: Plan) -> Plan:
        targets = tuple(
            replace(target, counting=replace(target.counting, merged_once=False))
            for target in plan.targets
        )
        return replace(plan, targets=targets)

    return replace(pack, plans=Register(("plan", "规划"), [apart(plan) for plan in pack.plans]))


def test_an_edition_is_never_changed(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-12-01")
    engine = applied(database(tmp_path), november)
    before = editions(engine)["2026-11", 1]
    november.tell(platform("a"), "revoke", "2026-12-03", state="REVOKED", effective="2026-11-30")
    november.tick("2027-01-05")
    after = editions(applied(engine, november))
    assert after["2026-11", 1] == before
    assert ("2026-11", 2) in after


def test_money_counts_in_its_month_and_in_all(tmp_path: Path) -> None:
    journals = Journals()
    journals.tick("2026-11-02")
    journals.tell(application("x", requested_fen=900), "submit", "2026-11-03", state="SUBMITTED")
    draft = application("draft", requested_fen=7_000)
    journals.tell(draft, "create", "2026-11-03", state="DRAFT")
    journals.tick("2026-12-01")
    paid = application("x", requested_fen=900, approved_fen=800, paid_fen=301)
    journals.tell(paid, "pay_instalment", "2026-12-09", state="IN_PROGRESS")
    journals.tick("2027-01-01")
    reports = closed(journals, tmp_path)
    first, second = (
        table(reports[m, 1], "money.department")["DST"] for m in ("2026-11", "2026-12")
    )
    assert first == [900, 0, 0, 0, 900, 0, 0, 0]
    assert second == [0, 800, 301, 0, 900, 800, 301, 0]


def test_foreign_currencies_are_never_added_to_yuan(tmp_path: Path) -> None:
    journals = Journals()
    journals.tick("2026-11-02")
    for key, currency in (("us", "USD"), ("eu", "EUR"), ("cn", "CNY")):
        award = application(key, currency=currency, approved_fen=100)
        journals.tell(award, "imported", "2026-11-03", state="CLOSED", effective="2020-01-01")
    journals.tick("2026-12-01")
    report = closed(journals, tmp_path)["2026-11", 1]
    money = next(t for t in report.tables if t.id == "money.programme")
    assert list(money.totals) == [0, 0, 0, 0, 0, 100, 0, 0]
    foreign = next(t for t in report.tables if t.id == "money.currency")
    assert [(row.key, row.values[5]) for row in foreign.rows] == [("EUR", 100), ("USD", 100)]
    assert list(foreign.totals) == []


def test_totals_are_the_sums_of_their_rows(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-12-01")
    for found in closed(november, tmp_path)["2026-11", 1].tables:
        if found.totals:
            sums = [sum(row.values[n] for row in found.rows) for n in range(len(found.columns))]
            assert list(found.totals) == sums


def test_every_dimension_counts_the_same_platforms(november: Journals, tmp_path: Path) -> None:
    november.tell(platform("county", division="410105"), "create", "2026-11-09", state="DRAFT")
    november.tell(platform("port", division="410173"), "create", "2026-11-09", state="DRAFT")
    november.tick("2026-12-01")
    report = closed(november, tmp_path)["2026-11", 1]
    by_state = sum(v[0] for v in table(report, "platforms.state").values())
    divisions = {k: v[0] for k, v in table(report, "platforms.division").items()}
    assert divisions == {"410100": 2, "410173": 1}
    assert by_state == sum(divisions.values())


def test_an_event_that_came_along_with_another_is_no_move_of_its_own(
    november: Journals, tmp_path: Path
) -> None:
    entry = november.tell(platform("b"), "merge", "2026-11-12", state="MERGED")
    november.tell(platform("a"), "merge", "2026-11-12", state="RECOGNIZED", cause=entry.position)
    november.tick("2026-12-01")
    moves = table(closed(november, tmp_path)["2026-11", 1], "platforms.action")
    assert moves["merge"] == [1]


def test_a_target_without_registry_has_no_value_and_never_0(
    november: Journals, tmp_path: Path
) -> None:
    november.tick("2026-12-01")
    engine = applied(database(tmp_path), november)
    content = json.loads(editions(engine)["2026-11", 1])
    targets = {t["id"]: t for board in content["boards"] for t in board["targets"]}
    assert {key for key, t in targets.items() if "counted" in t} == {"T3", "T4"}
    assert targets["T5"]["basis"] == "BASIS_NO_REGISTRY"
    assert targets["T1"]["basis"] == "BASIS_STATISTIC"
    assert targets["T4"]["counted"] == "0"


def test_unclassified_foreign_organisations_do_not_count_for_t3(
    november: Journals, tmp_path: Path
) -> None:
    for number in range(5):
        foreign = recognized(f"ror-{number}", "2026-01-01", kind="unclassified", level=2)
        november.tell(foreign, "imported", "2026-11-09", state="OPERATING", effective="2026-01-01")
    november.tick("2026-12-01")
    report = closed(november, tmp_path)["2026-11", 1]
    assert [r.record for r in target(report, "T3").records] == ["platforms/a"]


def test_an_entry_applied_twice_counts_once(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-12-01")
    engine = applied(applied(database(tmp_path), november), november)
    assert len(list(_facts(engine))) == 2


def test_a_gap_is_refused_and_leaves_nothing(november: Journals, tmp_path: Path) -> None:
    engine = database(tmp_path)
    sink = ReportsSink(engine, pack())
    with pytest.raises(Gap):
        sink.apply("platforms", november.entries["platforms"][1:])
    assert sink.cursors() == {}
    assert list(_facts(engine)) == []


def test_a_failure_while_closing_leaves_cursor_and_facts_as_they_were(
    november: Journals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    november.tick("2026-12-01")
    engine = database(tmp_path)
    sink = ReportsSink(engine, pack())
    for source in SOURCES[1:]:
        sink.apply(source, november.entries[source])
    monkeypatch.setattr("services.reports.closing._keep", _fail)
    with pytest.raises(Stuck):
        sink.apply("platforms", november.entries["platforms"])
    assert ("platforms", 0) not in sink.cursors()
    assert list(_facts(engine)) == []


def _fail(*_: object) -> None:
    raise RuntimeError("out of space")


def _facts(engine: sa.Engine) -> Iterator[tuple[str, int]]:
    with engine.begin() as tx:
        for row in tx.execute(sa.select(FACT.c.source, FACT.c.position)):
            yield row.source, row.position


# The same events in any order of sources, any batches, with restarts in between.

KEYS = ("a", "b", "c")
STATES = ("DRAFT", "RECOGNIZED", "OPERATING", "REVOKED", "MERGED")


@st.composite
def stories(draw: st.DrawFn) -> Journals:
    """Three months of platforms and applications, some of it told late."""
    journals = Journals()
    days = sorted(draw(st.lists(st.integers(0, 95), min_size=4, max_size=14)))
    for offset in days:
        on = day("2026-11-01").fromordinal(day("2026-11-01").toordinal() + offset)
        back = draw(st.sampled_from([0, 0, 0, 3, 35, 70]))
        effective = on.fromordinal(on.toordinal() - back).isoformat()
        _tell(draw, journals, on.isoformat(), effective)
        if draw(st.booleans()):
            journals.tick(on.isoformat(), draw(st.sets(st.sampled_from(SOURCES))))
    journals.tick("2027-02-10")
    return journals


def _tell(draw: st.DrawFn, journals: Journals, on: str, effective: str) -> None:
    key = draw(st.sampled_from(KEYS))
    if draw(st.booleans()):
        record = recognized(key, effective, lead_department=draw(st.sampled_from(["DST", "DRC"])))
        state = draw(st.sampled_from(STATES))
        if state == "MERGED":
            record.successors.append("platforms/c")
        journals.tell(record, "update", on, state=state, effective=effective)
    else:
        fen = draw(st.integers(0, 10**9))
        record = application(key, requested_fen=fen, approved_fen=fen // 2)
        journals.tell(record, "approve", on, state="APPROVED", effective=effective)


def _batches(draw: st.DrawFn, journals: Journals) -> Iterator[tuple[str, int, int]]:
    """Yield (source, start, end): every journal once through, cut and mixed at will."""
    cuts: dict[str, list[int]] = {}
    for source, entries in journals.entries.items():
        middle = draw(st.sets(st.integers(1, max(1, len(entries) - 1)), max_size=6))
        cuts[source] = sorted({0, len(entries), *(n for n in middle if n < len(entries))})
    spans = {source: list(pairwise(at)) for source, at in cuts.items()}
    order = [source for source, its in spans.items() for _ in its]
    for source in draw(st.permutations(order)):
        yield (source, *spans[source].pop(0))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories(), st.data())
def test_the_same_events_give_the_same_bytes_in_any_order_and_any_batches(
    journals: Journals, data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        expected = editions(applied(database(Path(folder), "one"), journals))
        engine = database(Path(folder), "other")
        for source, start, end in data.draw(st.composite(_listed)(journals)):
            again = max(0, start - 1)  # an entry sent twice
            ReportsSink(engine, pack()).apply(source, journals.entries[source][again:end])
        assert editions(engine) == expected
        assert expected


def _listed(draw: st.DrawFn, journals: Journals) -> list[tuple[str, int, int]]:
    return list(_batches(draw, journals))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories())
def test_each_edition_differs_from_the_one_before_by_its_differences(journals: Journals) -> None:
    with TemporaryDirectory() as folder:
        engine = applied(database(Path(folder)), journals)
        kept = {key: parsed(content) for key, content in editions(engine).items()}
    for (period, edition), report in kept.items():
        if edition == 1:
            assert not report.differences
            continue
        figures = dict(figures_of(kept[period, edition - 1]))
        for item in report.differences:
            cell = Cell(item.figure.table, item.figure.row, item.figure.column)
            assert figures.get(cell, 0) == item.before
            assert item.event_count > 0
            figures[cell] = item.after
        after = figures_of(report)
        assert {c: v for c, v in figures.items() if v} == {c: v for c, v in after.items() if v}


def test_no_edition_is_kept_twice(november: Journals, tmp_path: Path) -> None:
    november.tick("2026-12-01")
    engine = applied(database(tmp_path), november)
    november.tick("2026-12-02")
    applied(engine, november)
    with engine.begin() as tx:
        assert tx.scalar(sa.select(sa.func.count()).select_from(EDITION)) == 1


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories())
def test_a_month_is_told_from_what_stood_as_it_is_told_from_all_events(journals: Journals) -> None:
    with TemporaryDirectory() as folder:
        engine = applied(database(Path(folder)), journals)
        for key in ("2026-10", "2026-11", "2026-12", "2027-01", "2027-02"):
            for known in ("2026-11-20", "2026-12-31", "2027-02-10"):
                view = View(parse(key), known)
                assert _told(engine, view, forget=False) == _told(engine, view, forget=True)


def _told(engine: sa.Engine, view: View, *, forget: bool) -> bytes:
    with engine.connect() as tx:
        assert tx.scalar(sa.select(sa.func.count()).select_from(STANDING))
        if forget:
            tx.execute(sa.delete(STANDING))
        return canonical(build(tx, view, SOURCES, pack()))


def test_what_stood_is_filled_in_where_months_closed_before_it_was_kept(
    november: Journals, tmp_path: Path
) -> None:
    november.tell(application("x", requested_fen=900), "submit", "2026-11-30", state="SUBMITTED")
    november.tell(platform("a"), "revoke", "2026-12-02", state="REVOKED", effective="2026-11-30")
    november.tick("2026-12-03")
    url = f"sqlite:///{tmp_path}/reports.db"
    migrate.upgrade("reports", url)
    engine = applied(writing(url), november)
    kept = _standing(engine)
    with engine.begin() as tx:
        command.downgrade(migrate.config_of("reports", tx), "reports_0003")
    migrate.upgrade("reports", url)
    assert _standing(engine) == kept
    assert len(kept) == 2


def _standing(engine: sa.Engine) -> list[tuple[object, ...]]:
    with engine.begin() as tx:
        return sorted(tuple(row) for row in tx.execute(sa.select(STANDING)))
