"""The index and the judging of pairs: what is raised, what is excused, and what stands beside it as evidence."""

import itertools
from pathlib import Path

import pytest
import sqlalchemy as sa

from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.index import AT_MOST, READ, _rare
from services.coordination.duplicates.weighing import Weights
from tests.unit.duplicates_world import (
    BATTERY,
    GAME,
    INDEX,
    OTHER_UNIT,
    RADAR,
    WHEAT,
    A,
    application,
    candidates,
    indexed,
    investigator,
    lasting,
    raised,
)

PADDED = f"{GAME} {RADAR}"
CORPUS = [
    application("battery", "固态电池界面研究", BATTERY),
    application("radar", "Foliage clutter in moving target radar", RADAR, department="DIIT"),
    application("wheat", "小麦抗赤霉病育种", WHEAT),
    application("game", "A game that teaches programming", GAME, unit=OTHER_UNIT),
]
SECOND = {"department": "DRC", "unit": OTHER_UNIT}


def phase(name: str, first: str, last: str, **more: object) -> funding.Application:
    return lasting(application(name, f"固态电池{name}", BATTERY, **more), first, last)  # type: ignore[arg-type]


def test_a_renamed_copy_at_another_department_is_raised(tmp_path: Path) -> None:
    with indexed(tmp_path, CORPUS) as tx:
        assert raised(tx, application("copy", "新型储能器件", BATTERY, **SECOND)) == {
            "applications/battery"
        }


def test_honest_work_is_not_raised(tmp_path: Path) -> None:
    with indexed(tmp_path, CORPUS[1:]) as tx:
        assert raised(tx, CORPUS[0]) == set()


def test_the_order_of_arrival_changes_no_candidate(tmp_path: Path) -> None:
    seen = set()
    checked = application("copy", "Adaptive services", PADDED, **SECOND)
    for number, order in enumerate(itertools.permutations(CORPUS)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with indexed(folder, order) as tx:
            found = list(candidates(tx, checked).values())
        for candidate in found:
            candidate.funding_position = 0
        seen.add(b"".join(c.SerializeToString(deterministic=True) for c in found))
    assert len(seen) == 1


def frequencies(tx: sa.Connection) -> set[tuple[int, int]]:
    """Return how many documents have which key, of those that any has."""
    sql = "SELECT key, documents FROM compared_frequency WHERE documents > 0"
    return {(key, documents) for key, documents in tx.exec_driver_sql(sql)}


def test_what_came_and_went_leaves_no_trace(tmp_path: Path) -> None:
    gone = application("gone", "Elsewhere", f"{WHEAT}{RADAR}")
    checked = application("copy", "Adaptive services", PADDED, **SECOND)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with indexed(tmp_path / "a", CORPUS) as tx:
        clean, counted = candidates(tx, checked), frequencies(tx)
    with indexed(tmp_path / "b", CORPUS) as tx:
        INDEX.put(tx, Document(gone, 5), b"")
        assert candidates(tx, checked) != clean
        gone.state = A.STATE_WITHDRAWN
        INDEX.put(tx, Document(gone, 6), b"")
        assert candidates(tx, checked) == clean
        assert frequencies(tx) == counted


def test_the_extent_follows_what_comes_and_goes_and_gets_a_vector(tmp_path: Path) -> None:
    with indexed(tmp_path, CORPUS) as tx:
        assert INDEX.extent(tx) == (4, 4)
        INDEX.put(tx, Document(CORPUS[0], 5), b"\x01")
        assert INDEX.extent(tx) == (4, 3)
        gone = application("radar", "Elsewhere", RADAR, state=A.STATE_WITHDRAWN)
        INDEX.put(tx, Document(gone, 6), b"")
        assert INDEX.extent(tx) == (3, 2)


def test_a_draft_is_not_compared_with(tmp_path: Path) -> None:
    draft = application("draft", "固态电池", BATTERY, state=A.STATE_DRAFT)
    with indexed(tmp_path, [draft]) as tx:
        assert candidates(tx, CORPUS[0]) == {}


@pytest.mark.parametrize("abstract", [PADDED, RADAR, BATTERY])
def test_evidence_is_a_true_quotation_of_both_sides(tmp_path: Path, abstract: str) -> None:
    checked = application("copy", "Adaptive services for the enterprise", abstract, **SECOND)
    known = {a.name: a for a in CORPUS}
    with indexed(tmp_path, CORPUS) as tx:
        found = [c for c in candidates(tx, checked).values() if c.evidence]
    assert found
    for candidate in found:
        other = known[candidate.application]
        for e in candidate.evidence:
            assert getattr(checked, e.field)[e.offset :].startswith(e.quote)
            assert getattr(other, e.other_field)[e.other_offset :].startswith(e.other_quote)


def test_a_few_common_words_are_too_little_to_judge_by(tmp_path: Path) -> None:
    with indexed(tmp_path, [application("a", "电解质界面研究", "简介")]) as tx:
        assert raised(tx, application("b", "电解质界面研究", "简介", **SECOND)) == set()


CALL = "Open call for dual-purpose technologies with a clear stakeholder need in the air force laboratory"


def test_a_calls_name_as_the_title_of_both_is_no_like_sentence(tmp_path: Path) -> None:
    with indexed(tmp_path, [application("a", CALL, GAME)]) as tx:
        (found,) = candidates(tx, application("b", CALL, RADAR, **SECOND)).values()
    parts = {part.kind: part.score for part in found.parts}
    assert parts[pb.Part.KIND_SENTENCES] == 0
    assert [evidence.field for evidence in found.evidence] == ["title"]


def test_no_search_reads_more_of_the_index_than_its_bound() -> None:
    common = dict.fromkeys(range(1, 100), READ)
    chosen = _rare(common, Weights(100_000, common))
    assert sum(common[key] for key in chosen) == AT_MOST
    rare = dict.fromkeys(range(1, 100), 1)
    assert len(_rare(rare, Weights(100_000, rare))) == len(rare)


# Continuations.


def test_a_declared_predecessor_that_holds_excuses_the_pair(tmp_path: Path) -> None:
    first = phase("一期", "2022-01-01", "2023-12-31", state=A.STATE_CLOSED)
    second = phase("二期", "2024-01-01", "2025-12-31", predecessor=first.name)
    with indexed(tmp_path, [first]) as tx:
        (found,) = candidates(tx, second).values()
        assert found.score >= found.threshold
        assert (found.raised, found.continuation.holds) == (False, True)


def test_an_undeclared_continuation_is_raised(tmp_path: Path) -> None:
    first = phase("一期", "2022-01-01", "2023-12-31", state=A.STATE_CLOSED)
    with indexed(tmp_path, [first]) as tx:
        assert raised(tx, phase("二期", "2024-01-01", "2025-12-31")) == {first.name}


def test_a_predecessor_of_the_predecessor_excuses_too(tmp_path: Path) -> None:
    first = phase("一期", "2020-01-01", "2021-12-31", state=A.STATE_CLOSED)
    second = phase("二期", "2022-01-01", "2023-12-31", state=A.STATE_CLOSED, predecessor=first.name)
    with indexed(tmp_path, [first, second]) as tx:
        third = phase("三期", "2024-01-01", "2025-12-31", predecessor=second.name)
        assert raised(tx, third) == set()


@pytest.mark.parametrize(
    ("first", "second", "doubt"),
    [
        ({"state": A.STATE_REVOKED}, {}, "no award"),
        ({}, {"unit": OTHER_UNIT}, "no unit"),
        ({"until": "2024-04-02"}, {}, "93 days"),
        ({"until": "2026-12-31"}, {}, "not come after"),
        ({"until": ""}, {}, "not said"),
    ],
    ids=["revoked", "of others", "too long together", "within", "no period"],
)
def test_a_declaration_that_is_not_true_excuses_nothing(
    tmp_path: Path, first: dict[str, object], second: dict[str, object], doubt: str
) -> None:
    until = first.pop("until", "2023-12-31")
    before = {"state": A.STATE_CLOSED, **first}
    one = (
        phase("一期", "2022-01-01", str(until), **before)
        if until
        else application("一期", "固态电池", BATTERY, **before)  # type: ignore[arg-type]
    )
    with indexed(tmp_path, [one]) as tx:
        two = phase("二期", "2024-01-01", "2025-12-31", predecessor=one.name, **second)
        (found,) = candidates(tx, two).values()
    assert found.raised
    assert doubt in found.continuation.text_en
    assert found.continuation.text_zh


def test_92_days_together_are_still_a_continuation(tmp_path: Path) -> None:
    first = phase("一期", "2022-01-01", "2024-04-01", state=A.STATE_CLOSED)
    with indexed(tmp_path, [first]) as tx:
        second = phase("二期", "2024-01-01", "2025-12-31", predecessor=first.name)
        assert raised(tx, second) == set()


# Facts.


def facts(name: str, abstract: str, breakthrough: str) -> funding.Application:
    given = application(
        name, f"题目{name}", abstract, breakthroughs=[f"breakthroughs/{breakthrough}"]
    )
    given.principal_investigator.CopyFrom(investigator("ps1-x"))
    given.budget.add(category="设备费", amount_fen=100)
    return lasting(given, "2026-01-01", "2027-12-31")


HALF = BATTERY[: len(BATTERY) // 3] + WHEAT


def test_the_same_people_time_and_object_need_less_of_the_text(tmp_path: Path) -> None:
    with indexed(tmp_path, [*CORPUS[1:2], facts("a", BATTERY, "solid-battery")]) as tx:
        same = candidates(tx, facts("b", HALF, "solid-battery"))["applications/a"]
        other = candidates(tx, facts("b", HALF, "anode"))["applications/a"]
    assert (same.raised, same.basis) == (True, pb.BASIS_FACTS)
    assert (other.raised, other.basis) == (False, pb.BASIS_TEXT)


def test_each_part_stands_by_itself(tmp_path: Path) -> None:
    with indexed(tmp_path, [facts("a", BATTERY, "solid-battery")]) as tx:
        found = candidates(tx, facts("b", HALF, "solid-battery"))["applications/a"]
    parts = {pb.Part.Kind.Name(part.kind): part for part in found.parts}
    assert parts["KIND_UNITS"].shared == ["91110000710926094P"]
    assert parts["KIND_INVESTIGATOR"].score == 1000
    assert not parts["KIND_INVESTIGATOR"].shared
    assert parts["KIND_PERIOD"].shared == ["2026-01-01/2027-12-31"]
    assert parts["KIND_BUDGET"].shared == ["设备费 100"]
    assert parts["KIND_BREAKTHROUGHS"].shared == ["breakthroughs/solid-battery"]
    assert 0 < parts["KIND_WORDS"].score < 1000
