"""The questions of an auditor, asked of a province's real history."""

import csv
import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf.timestamp_pb2 import Timestamp

from app.catalogue import APPROVALS, JOURNALS, NAMES
from app.cli import cli
from kernel.dates import from_date
from luoshu.audit.v1 import audit_pb2 as pb
from luoshu.audit.v1 import audit_pb2_grpc
from tests.running import MovableClock, Running, Who, refusal
from tests.service.registry_suite import (
    A_PROGRAMME,
    APPLICANT,
    APPLICATION,
    APPROVER,
    AUDITOR,
    CALL,
    OFFICER,
    PROGRAMME,
    STRANGER,
    furnish,
)

LONER = Who("loner", "DST", ("case_officer", "approver"))
NOSY = Who("nosy", "DST", ("expert_reviewer",))


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("questions"), NAMES, MovableClock()).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def history(province: Running) -> dict[str, Any]:
    """A Monday at 10:00 with an application; the same evening; the Tuesday after."""
    furnish(province)
    told: dict[str, Any] = {"monday": province.clock.today}
    record = APPLICATION.create(province, title="固态电池研制")
    told["record"] = record.name
    refusal(lambda: province.call("SubmitApplication", NOSY, name=record.name))
    # A programme that its leader alone set up and suspended again.
    mine = A_PROGRAMME.create(province, LONER, title="独行专项", programme_id="alone")
    province.call("ActivateProgramme", APPROVER, name=mine.name)
    other = A_PROGRAMME.create(province, OFFICER, title="他人专项", programme_id="others")
    province.call("ActivateProgramme", LONER, name=other.name)
    province.clock.move(hours=10)  # 20:00
    told["evening"] = province.clock.time
    province.call("ActivateProgramme", APPROVER, name=night(province).name)
    province.clock.move(hours=14)  # 10:00 on Tuesday
    APPLICATION.retitle(province, record, "固态电池研制（改）")
    settled(province)
    return told


def night(running: Running) -> Any:
    return A_PROGRAMME.create(running, OFFICER, title="夜间专项", programme_id="night")


def settled(running: Running) -> None:
    """Wait until the log has every journal."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        kept = {(s, p) for s, p in running.rows("audit", "SELECT source, position FROM cursor")}
        if {(s, p) for s, p in heads(running) if p} <= kept:
            return
        time.sleep(0.2)
    raise AssertionError("the log does not catch up")


def heads(running: Running) -> Iterator[tuple[str, int]]:
    for source in JOURNALS:
        service, access, _ = source.partition("_access")
        table = "access_head" if access else "journal_head"
        yield source, int(running.rows(service, f"SELECT position FROM {table}")[0][0])


def ask(running: Running, question: Any, who: Who = AUDITOR, **said: Any) -> list[Any]:
    """Return all pages, two entries each."""
    stub, token, found = audit_pb2_grpc.AuditServiceStub(running.channel), "", list[Any]()
    while True:
        request = pb.AskEntriesRequest(question=question, page_size=2, page_token=token, **said)
        page = stub.AskEntries(request, metadata=who.metadata)
        found += page.entries
        token = page.next_page_token
        if not token:
            return found


def acts(entries: list[Any]) -> list[tuple[str, str]]:
    return [(e.change.actor, e.change.action) for e in entries]


def stamp(time: datetime.datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


def test_who_did_what_to_this_record(province: Running, history: dict[str, Any]) -> None:
    found = ask(province, pb.QUESTION_RECORD, record=history["record"])
    assert acts(found) == [
        ("wang", "update"), ("wang", "read_protected"), ("nosy", "denied"), ("wang", "create"),
    ] or acts(found) == [
        ("wang", "read_protected"), ("wang", "update"), ("nosy", "denied"), ("wang", "create"),
    ]  # fmt: skip
    assert list(found[2].change.roles) == ["expert_reviewer"]


def test_what_did_this_account_do_between_two_dates(
    province: Running, history: dict[str, Any]
) -> None:
    tuesday = history["evening"] + datetime.timedelta(hours=4)
    every = ask(province, pb.QUESTION_ACTOR, actor="wang")
    early = ask(province, pb.QUESTION_ACTOR, actor="wang", end_time=stamp(tuesday))
    late = ask(province, pb.QUESTION_ACTOR, actor="wang", start_time=stamp(tuesday))
    assert acts(early) == [("wang", "create")]
    assert {action for _, action in acts(late)} == {"update", "read_protected"}
    assert len(every) == len(early) + len(late)
    times = [e.change.commit_time.ToMicroseconds() for e in every]
    assert times == sorted(times, reverse=True)


def test_what_happened_outside_office_hours(province: Running, history: dict[str, Any]) -> None:
    found = ask(province, pb.QUESTION_OFF_HOURS)
    assert acts(found) == [("zhao", "activate"), ("li", "create")]
    assert {e.change.record for e in found} == {"programmes/night"}
    assert acts(ask(province, pb.QUESTION_OFF_HOURS, actor="li")) == [("li", "create")]
    before = ask(province, pb.QUESTION_OFF_HOURS, end_time=stamp(history["evening"]))
    assert before == []


def test_which_approvals_had_no_second_pair_of_eyes(
    province: Running, history: dict[str, Any]
) -> None:
    """Four eyes are enforced where the table says so; a move without it, by who did all the rest, is found."""
    assert "suspend" in APPROVALS["funding"]
    assert ask(province, pb.QUESTION_UNSECONDED) == []
    lone = province.rows("audit", 'SELECT max("index") FROM entry')[0][0]
    _forge(province, "programmes/forged", "loner")
    found = ask(province, pb.QUESTION_UNSECONDED)
    assert [(e.change.actor, e.change.record) for e in found] == [("loner", "programmes/forged")]
    assert found[0].index > lone


def _forge(running: Running, record: str, actor: str) -> None:
    """Put a history into the log's search columns that no service would write: one account did everything."""
    from luoshu.journal.v1.journal_pb2 import Change, EventHead

    size = running.rows("audit", 'SELECT max("index") + 1 FROM entry')[0][0]
    moment = int(running.clock.time.timestamp() * 1_000_000)
    for n, action in enumerate(("create", "activate")):
        change = Change(record=record, action=action, actor=actor, department="DST")
        change.commit_time.FromMicroseconds(moment + n)
        event = EventHead(change=change).SerializeToString()
        running.change(
            "audit",
            "INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            size + n, "funding", 0, 10**6 + n, event, bytes(32), record, action, actor, "DST",
            moment + n, "2026-03-17",
        )  # fmt: skip


def test_what_the_reviewers_saw_on_that_day(province: Running, history: dict[str, Any]) -> None:
    stub = audit_pb2_grpc.AuditServiceStub(province.channel)

    def seen(day: datetime.date) -> dict[str, str]:
        request = pb.GetViewRequest(record=history["record"], day=from_date(day))
        view = stub.GetView(request, metadata=AUDITOR.metadata)
        return {e.change.record: APPLICATION.service.event.FromString(e.event) for e in view.entries}  # fmt: skip

    monday, tuesday = history["monday"], history["monday"] + datetime.timedelta(days=1)
    assert next(iter(seen(monday))) == history["record"]
    assert {CALL, PROGRAMME} <= set(seen(monday))
    assert seen(monday)[history["record"]].application.title == "固态电池研制"
    assert seen(tuesday)[history["record"]].application.title == "固态电池研制（改）"
    assert refused(lambda: seen(monday - datetime.timedelta(days=1))) == "NOT_FOUND"


def refused(call: Any) -> str:
    return refusal(call).code


@pytest.mark.parametrize("who", [APPLICANT, OFFICER, APPROVER, STRANGER, Who("o", "X", ("operator",))])  # fmt: skip
def test_who_is_no_auditor_cannot_ask(province: Running, history: dict[str, Any], who: Who) -> None:
    stub = audit_pb2_grpc.AuditServiceStub(province.channel)
    asked = pb.AskEntriesRequest(question=pb.QUESTION_OFF_HOURS)
    wanted = pb.GetViewRequest(record=history["record"], day=from_date(history["monday"]))
    for call in (
        lambda: stub.AskEntries(asked, metadata=who.metadata),
        lambda: stub.GetView(wanted, metadata=who.metadata),
    ):
        assert refused(call) == "PERMISSION_DENIED"


def test_a_question_says_what_it_needs_and_a_token_is_of_one_question(
    province: Running, history: dict[str, Any]
) -> None:
    assert refused(lambda: ask(province, pb.QUESTION_RECORD)) == "INVALID_ARGUMENT"
    assert refused(lambda: ask(province, pb.QUESTION_ACTOR)) == "INVALID_ARGUMENT"
    stub = audit_pb2_grpc.AuditServiceStub(province.channel)
    request = pb.AskEntriesRequest(question=pb.QUESTION_ACTOR, actor="wang", page_size=1)
    token = stub.AskEntries(request, metadata=AUDITOR.metadata).next_page_token
    other = pb.AskEntriesRequest(question=pb.QUESTION_ACTOR, actor="li", page_token=token)
    assert refused(lambda: stub.AskEntries(other, metadata=AUDITOR.metadata)) == "INVALID_ARGUMENT"


def run(province: Running, *words: str) -> Any:
    address = f"127.0.0.1:{province.process.port}"
    where = ["--address", address, "--as", "AUDIT:qian", "--roles", "auditor"]
    return CliRunner().invoke(cli, [*where, "audit", *words], standalone_mode=False)


def test_the_commands_answer_in_both_languages_and_write_files(
    province: Running, history: dict[str, Any], tmp_path: Path
) -> None:
    printed = run(province, "who", history["record"])
    assert printed.exit_code == 0, printed.output
    assert "denied · 被拒绝" in printed.output
    out = tmp_path / "did.csv"
    done = run(province, "did", "wang", "--out", str(out))
    assert done.exit_code == 0, done.output
    rows = list(csv.reader(out.read_text("utf-8-sig").splitlines()))
    assert rows[0][2] == "who · 账号"
    assert {row[2] for row in rows[1:]} == {"wang"}
    exported = province.rows("audit", "SELECT actor FROM access_journal WHERE action = 'exported'")
    assert ("qian",) in exported
    seen = run(province, "seen", history["record"], history["monday"].isoformat())
    assert "固态电池研制" in seen.output, seen.output
    assert CALL in seen.output
    assert run(province, "off-hours").exit_code == 0
    assert run(province, "unseconded").exit_code == 0


def test_a_day_is_its_beginning_in_both_bounds(
    province: Running, history: dict[str, Any], tmp_path: Path
) -> None:
    def told(since: datetime.date, until: datetime.date) -> int:
        out = tmp_path / "did.csv"
        span = ("--since", since.isoformat(), "--until", until.isoformat())
        assert run(province, "did", "wang", *span, "--out", str(out)).exit_code == 0
        return len(out.read_text("utf-8-sig").splitlines()) - 1

    monday, day = history["monday"], datetime.timedelta(days=1)
    assert told(monday, monday) == 0
    assert told(monday, monday + day) == 1
    assert told(monday + day, monday + 2 * day) > 0
    assert told(monday - day, monday) == 0


def test_a_file_gets_all_entries_and_a_screen_says_that_there_are_more(
    province: Running, history: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.questions.SHOWN", 2)
    every = len(ask(province, pb.QUESTION_RECORD, record=history["record"]))
    assert every > 3
    who, out = ("who", history["record"]), tmp_path / "who.csv"
    shown = run(province, *who)
    assert len(shown.stdout.splitlines()) == 1 + 2
    assert "there are more than these 2" in shown.stderr
    assert "不止这 2 条" in shown.stderr
    done = run(province, *who, "--out", str(out))
    assert f"{every} entries" in done.stdout
    assert "there are more" not in done.stderr
    some = run(province, *who, "--limit", "3", "--out", str(out))
    assert "3 entries" in some.stdout
    assert "there are more" in some.stderr
    assert "there are more" not in run(province, *who, "--limit", str(every)).stderr
    assert "there are more than these 1" in run(province, "entries", "--limit", "1").stderr
