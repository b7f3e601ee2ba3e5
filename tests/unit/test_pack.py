"""The pack: what Henan's says, and that a wrong one is refused with words that help."""

import datetime
import shutil
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import holidays
import pytest

from kernel.errors import Invalid
from kernel.pack import Kind, Pack, PackError, Register, load

HENAN = Path(__file__).parents[2] / "packs" / "henan"
ANNOUNCED = (2024, 2025, 2026)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load(HENAN)


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Give a copy of the pack in which one text of one file is another."""

    def edit(file: str, old: str, new: str) -> Path:
        folder = tmp_path / "pack"
        shutil.copytree(HENAN, folder)
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")
        return folder

    return edit


# --- what Henan's pack says ---


def test_the_plan_has_eight_targets_and_about_is_not_at_least(pack: Pack) -> None:
    targets = {t.id: (t.operator, t.value) for t in pack.plan("henan-2025-38").targets}
    assert targets == {
        "T1": (">", 11),
        "T2": (">", 27),
        "T3": ("about", 50),
        "T4": (">=", 50),
        "T5": ("about", 50),
        "T6": (">=", 100),
        "T7": ("about", 8),
        "T8": (">=", 1_500_000),
    }


def test_only_what_a_registry_holds_is_counted(pack: Pack) -> None:
    methods = {t.id: t.counting.method for t in pack.plan("henan-2025-38").targets}
    assert [key for key, method in methods.items() if method == "records"] == ["T3", "T4"]
    assert [key for key, method in methods.items() if method == "no_registry"] == ["T5", "T6", "T7"]
    assert all(
        pack.plan("henan-2025-38").target(t).counting.since == date(2025, 8, 12)
        for t in ("T3", "T4")
    )


def test_a_revoked_platform_does_not_count_and_a_municipal_one_neither(pack: Pack) -> None:
    counting = pack.plan("henan-2025-38").target("T3").counting
    assert "STATE_REVOKED" not in counting.states
    assert counting.levels == ("provincial", "national")
    assert counting.merged_once


def test_the_second_plan_stands_beside_the_first_with_an_exact_share(pack: Pack) -> None:
    assert pack.plan("henan-integration-2025").target("I1").value == Decimal("2.55")
    assert [plan.id for plan in pack.plans.on(date(2025, 8, 31))] == ["henan-2025-38"]
    assert len(pack.plans.on(date(2025, 9, 1))) == 2


def test_there_are_fifteen_kinds_and_one_for_imports(pack: Pack) -> None:
    assert len(pack.kinds) == 16
    assert "unclassified" in pack.kinds
    assert len({kind.code for kind in pack.kinds}) == 16


def test_the_two_engineering_centres_are_different_kinds(pack: Pack) -> None:
    assert pack.kind("engineering-research-centre").lead == "DRC"
    assert pack.kind("engineering-technology-research-centre").lead == "DST"


def test_a_new_institution_is_put_on_file_and_an_innovation_centre_nurtured(pack: Pack) -> None:
    assert pack.kind("new-rd-institution").ending == "put_on_file"
    centre = pack.kind("manufacturing-innovation-centre")
    assert centre.nurtured
    assert set(centre.joint) == {"DRC", "FINANCE", "DST"}


@pytest.mark.parametrize(
    ("kind", "grade", "effect"),
    [
        ("engineering-research-centre", "unqualified", "revoke"),
        ("key-laboratory", "rectify", "rectify"),
        ("engineering-technology-research-centre", "warned", "rectify"),
        ("engineering-technology-research-centre", "revoked", "revoke"),
    ],
)
def test_a_bad_grade_has_the_effect_that_its_kind_says(
    pack: Pack, kind: str, grade: str, effect: str
) -> None:
    assert pack.kind(kind).grade(grade).effect == effect


def test_every_kind_that_is_evaluated_has_grades(pack: Pack) -> None:
    for kind in pack.kinds:
        assert bool(kind.grades) == ("evaluation" not in kind.skips), kind.id


def test_nineteen_units_report_and_the_airport_counts_under_zhengzhou(pack: Pack) -> None:
    assert len(pack.reporting_units) == 19
    assert pack.counted_under("410173") == "410100"
    assert pack.counted_under("410102") == "410100"
    assert pack.counted_under("419001") == "419001"
    assert pack.counted_under("410000") == "410000"
    assert pack.division_of("411603").parent == "411600"


def test_an_unknown_division_is_invalid_and_the_units_are_listed(pack: Pack) -> None:
    with pytest.raises(Invalid, match="410100") as refusal:
        pack.division_of("110000", field="division")
    assert refusal.value.field == "division"
    assert "郑州市" in refusal.value.zh


def test_the_low_altitude_economy_has_no_national_class(pack: Pack) -> None:
    assert pack.classes_of("low-altitude", date(2026, 1, 1)) == ()
    assert pack.classes_of("quantum", date(2026, 1, 1)) == ()
    assert pack.classes_of("new-materials", date(2026, 1, 1)) == ("3",)
    assert pack.classes_of("new-materials", date(2025, 8, 11)) == ()


def test_the_three_administrators_exclude_one_another(pack: Pack) -> None:
    three = {"system_administrator", "security_administrator", "audit_administrator"}
    for role in pack.roles:
        assert set(role.excludes) == (three - {role.id} if role.id in three else set())


def test_iso_16290_has_nine_levels_and_refuses_a_tenth(pack: Pack) -> None:
    ladder = pack.ladder("iso16290")
    assert len(ladder.levels) == 9
    assert ladder.rung(9).zh
    for level in (0, 10):
        with pytest.raises(Invalid, match="1 to 9"):
            ladder.rung(level)


def test_ceilings_are_whole_fen_and_unset_years_have_none(pack: Pack) -> None:
    for programme in pack.programmes:
        assert all(type(ceiling.fen) is int for ceiling in programme.ceilings)
        assert programme.ceiling(1999) is None
    assert pack.programme("major-science-special").ceiling(2026) == 80_000_000_000


def test_a_joint_review_asks_the_subjects_own_departments_unless_a_rule_names_others(
    pack: Pack,
) -> None:
    assert pack.joint_review("new-rd-institution") == ("FINANCE",)
    assert pack.joint_review("key-laboratory") == ()
    assert pack.joint_review("industrial-open-bids") == ("DRC", "DST", "FINANCE")
    assert pack.review_rule("new-rd-institution", date(2026, 1, 1)).due_working_days == 10
    assert not pack.review_rule("industrial-open-bids").deemed_consent


def test_a_joint_review_of_nothing_known_is_invalid(pack: Pack) -> None:
    with pytest.raises(Invalid, match="unknown platform kind"):
        pack.joint_review("no-such-thing")


def test_nobody_is_asked_about_what_it_leads(pack: Pack) -> None:
    for subject in (*pack.kinds, *pack.programmes):
        assert subject.lead not in pack.joint_review(subject.id), subject.id


def test_every_entry_has_a_name_in_both_languages(pack: Pack) -> None:
    for register in vars(pack).values():
        for record in register if isinstance(register, Register) else ():
            if hasattr(record, "zh"):
                assert record.zh, record.id
                assert record.en.isascii(), record.id


def test_what_is_uncertain_says_so(pack: Pack) -> None:
    assert pack.kind("ai-enabling-centre").uncertain
    assert not pack.kind("engineering-research-centre").uncertain
    assert pack.plan("henan-2025-38").target("T3").counting.uncertain


# --- working days ---


@pytest.mark.parametrize("year", ANNOUNCED)
def test_every_day_of_an_announced_year_agrees_with_a_second_opinion(pack: Pack, year: int) -> None:
    china = holidays.country_holidays("CN", years=year)
    day = date(year, 1, 1)
    while day.year == year:
        assert pack.is_working_day(day) == china.is_working_day(day), day
        day += datetime.timedelta(days=1)


def test_ten_working_days_step_over_a_holiday_and_count_an_exchanged_day(pack: Pack) -> None:
    # National Day 2026: off from 1 to 7 October, Saturday the 10th is worked.
    assert pack.add_working_days(date(2026, 9, 30), 1) == (date(2026, 10, 8), False)
    assert pack.add_working_days(date(2026, 9, 30), 3) == (date(2026, 10, 10), False)
    assert pack.add_working_days(date(2026, 9, 30), 10) == (date(2026, 10, 20), False)


def test_a_count_into_2027_is_provisional_and_knows_weekends_only(pack: Pack) -> None:
    assert pack.add_working_days(date(2026, 12, 30), 1) == (date(2026, 12, 31), False)
    assert pack.add_working_days(date(2026, 12, 31), 1) == (date(2027, 1, 1), True)
    assert pack.add_working_days(date(2027, 1, 1), 1) == (date(2027, 1, 4), True)


def test_a_year_outside_the_table_is_provisional(pack: Pack) -> None:
    assert pack.add_working_days(date(2023, 6, 1), 1) == (date(2023, 6, 2), True)
    assert pack.add_working_days(date(2030, 6, 3), 1).provisional


def test_the_day_on_which_a_term_starts_does_not_count(pack: Pack) -> None:
    monday = date(2026, 3, 16)
    assert pack.last_day(monday, 5, working=True) == (date(2026, 3, 23), False)
    assert pack.last_day(monday, 7, working=False) == (date(2026, 3, 23), False)


def test_the_law_gave_labour_day_a_second_day_from_2025_on(pack: Pack) -> None:
    assert pack.legal_holidays.get("labour-day", date(2024, 12, 31)).days == 1
    assert pack.legal_holidays.get("labour-day", date(2025, 1, 1)).days == 2


# --- resolving by date ---


def kind(key: str, lead: str, first: date | None = None, last: date | None = None) -> Kind:
    return Kind(
        id=key,
        zh="甲",
        en="one",
        source="s",
        code="A",
        level="provincial",
        lead=lead,
        ending="recognize",
        notice="n",
        valid_from=first,
        valid_to=last,
    )


VERSIONS = Register(
    Kind.NOUN,
    [
        kind("one", "DST", date(2025, 1, 1), date(2025, 12, 31)),
        kind("one", "DRC", None, date(2024, 6, 30)),
        kind("one", "DIIT", date(2026, 1, 1)),
    ],
)


@pytest.mark.parametrize(
    ("day", "lead"),
    [
        (date(1990, 1, 1), "DRC"),
        (date(2024, 6, 30), "DRC"),
        (date(2025, 1, 1), "DST"),
        (date(2025, 12, 31), "DST"),
        (date(2026, 1, 1), "DIIT"),
        (None, "DIIT"),
    ],
)
def test_the_first_and_the_last_day_belong_to_a_version(day: date | None, lead: str) -> None:
    assert VERSIONS.get("one", day).lead == lead


@pytest.mark.parametrize("day", [date(2024, 7, 1), date(2024, 12, 31)])
def test_a_day_between_two_versions_is_invalid_and_says_when_it_would_work(day: date) -> None:
    with pytest.raises(Invalid, match="in force: … to 2024-06-30, 2025-01-01 to 2025-12-31") as no:
        VERSIONS.get("one", day)
    assert no.value.code == "ENTRY_NOT_IN_FORCE"
    assert VERSIONS.on(day) == ()


def test_a_register_gives_each_id_once_and_its_versions_on_demand() -> None:
    assert [record.lead for record in VERSIONS] == ["DIIT"]
    assert [record.lead for record in VERSIONS.history("one")] == ["DRC", "DST", "DIIT"]
    assert len(VERSIONS) == 1
    assert "two" not in VERSIONS


def test_an_unknown_kind_lists_the_known_ones_in_both_languages(pack: Pack) -> None:
    with pytest.raises(Invalid) as refusal:
        pack.kind("key-lab", on=date(2026, 1, 1), field="platform.kind")
    assert refusal.value.field == "platform.kind"
    for known in pack.kinds:
        assert f"{known.id} ({known.en})" in refusal.value.en
        assert f"{known.id}（{known.zh}）" in refusal.value.zh


def test_an_unknown_grade_or_target_lists_the_known_ones(pack: Pack) -> None:
    with pytest.raises(Invalid, match="known: excellent, good, rectify"):
        pack.kind("key-laboratory").grade("superb", field="grade")
    with pytest.raises(Invalid, match="known: T1, T2"):
        pack.plan("henan-2025-38").target("T9")


# --- a wrong pack is refused ---

WRONG = [
    (
        "kinds.yaml",
        "lead: DST",
        "led: DST",
        "kinds 'key-laboratory'.*unknown key 'led'.*did you mean 'lead'",
    ),
    (
        "kinds.yaml",
        "lead: DST",
        "lead: DSTT",
        "key-laboratory': lead: no 'DSTT' in departments; did you mean 'DST'",
    ),
    ("kinds.yaml", "    code: KL\n", "", "'key-laboratory': 'code' is missing; add it"),
    ("kinds.yaml", "code: KL", "code: 7", "'key-laboratory': code: '7' does not fit; write text"),
    (
        "kinds.yaml",
        "code: KL",
        "code: KL\n    code: KM",
        "kinds.yaml: line .*'code' is given twice; keep one",
    ),
    (
        "kinds.yaml",
        "id: key-laboratory",
        "id: unclassified",
        "kinds.yaml: kinds: 'unclassified' is given twice",
    ),
    (
        "kinds.yaml",
        "evaluation_years: 2",
        "evaluation_years: two",
        "evaluation_years: 'two' does not fit; write a whole",
    ),
    (
        "kinds.yaml",
        "nurtured: true",
        "nurtured: 1",
        "nurtured: '1' does not fit; write true or false",
    ),
    (
        "kinds.yaml",
        "ending: recognize",
        "ending: recognise",
        "ending: 'recognise'; did you mean 'recognize'",
    ),
    (
        "kinds.yaml",
        "effect: rectify",
        "effect: rectified",
        r"grades\[2\]: effect: .*did you mean 'rectify'",
    ),
    (
        "kinds.yaml",
        "skips: [construction,",
        "skips: [building,",
        r"skips\[0\]: no 'building' in steps; known: recomm",
    ),
    (
        "kinds.yaml",
        "joint: [FINANCE]",
        "joint: FINANCE",
        r"new-rd-institution': joint: not a list; write `\[a, b\]`",
    ),
    ("kinds.yaml", "kinds:", "kind:", "kinds.yaml: unknown section 'kind'; did you mean 'kinds'"),
    ("roles.yaml", "roles:", "steps:", "roles.yaml: section 'steps' stands in another file too"),
    ("plans.yaml", "id: T2", "id: T1", "'henan-2025-38': targets: 'T1' stands there twice"),
    (
        "funding.yaml",
        "year: 2026",
        "year: 2025",
        "'major-science-special': two ceilings are of the same year and source",
    ),
    (
        "kinds.yaml",
        "[DRC, FINANCE, DST]",
        "[DRC, DRC]",
        "joint: 'DRC' stands there twice; keep one",
    ),
    ("calendar.yaml", 'id: "2025"', "id: next", "calendar 'next': is no year"),
    ("roles.yaml", "roles:", "{", "roles.yaml: .*line"),
    ("roles.yaml", "roles:", "- roles:", "roles.yaml: "),
    (
        "departments.yaml",
        "source: plan-2025-38",
        "source: plan-2025",
        "'DRC': source: no 'plan-2025' in documents; did",
    ),
    (
        "plans.yaml",
        "value: 50",
        "value: 50.5",
        "value: '50.5' does not fit; write a number",
    ),
    ("plans.yaml", "since: 2025-08-12", "since: 2025-02-30", "plans.yaml: day "),
    (
        "plans.yaml",
        "since: 2025-08-12",
        "since: 12.8.2025",
        "since: '12.8.2025' does not fit; write a day",
    ),
    (
        "holidays.yaml",
        "valid_to: 2024-12-31",
        "valid_to: 2025-01-01",
        "'new-year' holds twice on 2025-01-01; end the",
    ),
    (
        "holidays.yaml",
        "valid_to: 2024-12-31",
        "valid_to: 2013-12-31",
        "'new-year': ends on 2013-12-31, before it",
    ),
    ("calendar.yaml", "2024-02-04", "2024-02-05", "'2024': 2024-02-05 is no weekend"),
    (
        "calendar.yaml",
        "last: 2024-02-17",
        "last: 2024-02-09",
        r"'2024': days_off\[1\]: ends on 2024-02-09 before",
    ),
    ("readiness.yaml", "level: 2,", "level: 3,", "'iso16290': levels have a gap; number them"),
    ("funding.yaml", "fen: 600", "fen: -600", "ceilings.*give 0 or more"),
    (
        "reviews.yaml",
        "[industrial-open-bids]",
        "[open-bids]",
        "no 'open-bids' in kinds or programmes",
    ),
    ("pack.yaml", "\npack:", "\npacks:", "pack.yaml: unknown section 'packs'; did you mean 'pack'"),
    (
        "divisions.csv",
        "code,name",
        "name,code",
        "divisions.csv: first line is not the columns; write code",
    ),
    (
        "divisions.csv",
        "410102,中原区,41,01,02",
        "410102,中原区",
        "divisions.csv: line 2 has 2 columns; give 5",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "message"), WRONG)
def test_a_mistake_is_named_with_its_file_and_what_would_work(
    edited: Callable[[str, str, str], Path], file: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(PackError, match=f"(?s){message}") as refusal:
        load(edited(file, old, new))
    assert file in str(refusal.value)


def test_a_joint_review_needs_a_rule_for_the_rest(edited: Callable[[str, str, str], Path]) -> None:
    with pytest.raises(PackError, match="'default' is missing"):
        load(edited("reviews.yaml", "- id: default", "- id: defaults"))


def test_a_folder_without_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no pack; it needs"):
        load(tmp_path)


def test_a_missing_section_is_named(edited: Callable[[str, str, str], Path]) -> None:
    folder = edited("roles.yaml", "roles:", "roles:")
    (folder / "roles.yaml").unlink()
    with pytest.raises(PackError, match="section 'roles' is in no file"):
        load(folder)


def test_a_corrected_entry_is_there_after_the_next_load(
    pack: Pack, edited: Callable[[str, str, str], Path]
) -> None:
    other = load(edited("departments.yaml", "short_zh: 省科技厅", "short_zh: 科技厅"))
    assert other.department("DST").short_zh == "科技厅"
    assert other.version != pack.version


def test_the_version_follows_from_the_files_alone(pack: Pack, tmp_path: Path) -> None:
    shutil.copytree(HENAN, tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere").version == pack.version
    assert len(pack.version) == 64


def test_loading_takes_less_than_fifty_milliseconds() -> None:
    def took() -> float:
        start = time.process_time()
        load(HENAN)
        return time.process_time() - start

    assert min(took() for _ in range(5)) < 0.05
