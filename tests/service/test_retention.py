"""What the pack keeps for a time only: who is due is listed, two persons erase, and what a hold or an open case needs stays."""

import datetime
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from app import migrate
from app.catalogue import NAMES
from app.cli import cli
from kernel import database, metrics
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.privacy.v1 import privacy_pb2 as pb
from luoshu.privacy.v1 import privacy_pb2_grpc
from tests.conftest import ENGINE
from tests.flow.separate import until
from tests.running import MovableClock, Running, Who, refusal
from tests.service.registry_suite import (
    APPLICANT,
    APPROVER,
    AUDITOR,
    OFFICER,
    PERSONAL,
    WHY,
    Sample,
    furnish,
)
from tests.service.test_access_journal import events, head
from tests.service.test_erasure import AUDIT_ADMIN, SECURITY

MONTHS = 120
"""Of packs/henan."""
S = pb.Subject.State
Found = dict[str, Any]


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process that has gone on for ten years and a day: what was left alone since its beginning is due."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("retention")
        databases = stack.enter_context(on_postgres()) if ENGINE == "postgresql" else {}
        yield from aged(Running(folder, NAMES, MovableClock(), databases).start())


@contextmanager
def on_postgres() -> Iterator[dict[str, str]]:
    from tests.live import engines

    with engines.a_postgres() as server:
        server.create(*NAMES)
        for name in NAMES:
            migrate.upgrade(name, server.url(name))
        yield {f"LUOSHU_{name.upper()}_DATABASE": server.url(name) for name in NAMES}


def aged(running: Running) -> Iterator[Running]:
    furnish(running)
    for sample in PERSONAL:
        FOUND[str(sample)] = Before(running, sample)
    running.clock.move(days=366 * MONTHS / 12 + 1)
    yield running
    running.stop()


class Before:
    """What was made ten years ago: a person whose case has ended, one whose case is open, and one who has both."""

    def __init__(self, running: Running, sample: Sample) -> None:
        self.day = running.clock.today
        self.ended, self.also, self.held, self.both, self.open = (
            self._person(running, sample) for _ in range(5)
        )
        for person in (self.ended, self.also, self.held, self.both):
            end(running, sample, self._record(running, sample, person))
        for person in (self.both, self.open):
            self._record(running, sample, person)
        self.ended, self.also, self.held, self.both, self.open = (
            find(running, sample, person) for person in (self.ended, self.also, self.held, self.both, self.open)
        )  # fmt: skip

    def _person(self, running: Running, sample: Sample) -> str:
        return uuid.uuid4().hex

    def _record(self, running: Running, sample: Sample, number: str) -> Any:
        record = sample.record(
            **{
                sample.person: Person(name="某人", identity_number=number),
                "title": uuid.uuid4().hex,
            }
        )
        return running.call(f"Create{sample.noun}", sample.author, **{sample.singular: record})


FOUND: dict[str, Before] = {}
of_persons = pytest.mark.parametrize("sample", PERSONAL, ids=str)


def end(running: Running, sample: Sample, record: Any) -> None:
    """Take a record to where nothing more can come of it."""
    if sample.noun == "Breakthrough":
        sample.act(running, record)
        running.call("DeclineBreakthrough", APPROVER, name=record.name, **WHY)
    else:
        running.call(f"Withdraw{sample.noun}", APPLICANT, name=record.name, **WHY)


def stub(running: Running) -> Any:
    return privacy_pb2_grpc.PrivacyServiceStub(running.channel)


def find(running: Running, sample: Sample, number: str) -> str:
    request = pb.FindSubjectRequest(service=sample.service.name, person=Person(identity_number=number))  # fmt: skip
    found = stub(running).FindSubject(request, metadata=SECURITY.metadata)
    assert found.state == S.STATE_HELD
    return str(found.subject)


def due(running: Running, sample: Sample, who: Who = SECURITY, size: int = 0) -> Found:
    """Return subject → what the list says of it."""
    found, request = list[Any](), pb.ListDueSubjectsRequest(service=sample.service.name, page_size=size)  # fmt: skip
    while True:
        page = stub(running).ListDueSubjects(request, metadata=who.metadata)
        found += page.subjects
        request.page_token = page.next_page_token
        if not page.next_page_token:
            assert [one.subject for one in found] == sorted({one.subject for one in found})
            return {one.subject: one for one in found}


def erase_due(running: Running, sample: Sample, who: Who, subjects: Sequence[str]) -> list[Any]:
    request = pb.EraseDueSubjectsRequest(service=sample.service.name, subjects=subjects, reason="期满")  # fmt: skip
    return list(stub(running).EraseDueSubjects(request, metadata=who.metadata).subjects)


def hold(running: Running, sample: Sample, subject: str, reason: str = "诉讼保全") -> Any:
    request = pb.HoldSubjectRequest(service=sample.service.name, subject=subject, reason=reason)
    return stub(running).HoldSubject(request, metadata=AUDIT_ADMIN.metadata)


def release(running: Running, sample: Sample, subject: str) -> Any:
    request = pb.ReleaseSubjectRequest(service=sample.service.name, subject=subject, reason="已结")
    return stub(running).ReleaseSubject(request, metadata=AUDIT_ADMIN.metadata)


def erase(running: Running, sample: Sample, who: Who, subject: str) -> Any:
    request = pb.EraseSubjectRequest(
        service=sample.service.name, subject=subject, reason="本人要求"
    )
    return stub(running).EraseSubject(request, metadata=who.metadata)


@of_persons
def test_who_is_due_is_listed_with_the_day_and_who_has_an_open_case_is_not(
    later: Running, sample: Sample
) -> None:
    before = FOUND[str(sample)]
    found = due(later, sample)
    assert {before.ended, before.also, before.held} <= found.keys()
    assert not {before.both, before.open} & found.keys()
    day = found[before.ended].due_date
    assert (day.year, day.month, day.day) == (
        before.day.year + 10,
        before.day.month,
        before.day.day,
    )
    assert found == due(later, sample, size=1)


@of_persons
def test_what_is_due_is_erased_by_two_persons_once(later: Running, sample: Sample) -> None:
    service, mine = sample.service.name, FOUND[str(sample)]
    asked, before = [mine.ended, mine.also, mine.both, mine.open], head(later, service)
    first = erase_due(later, sample, SECURITY, asked)
    waits, stays = S.STATE_ERASURE_REQUESTED, S.STATE_HELD
    assert [one.state for one in first] == [waits, waits, stays, stays]
    assert [one.state for one in erase_due(later, sample, SECURITY, asked)] == [waits, waits, stays, stays]  # fmt: skip
    second = erase_due(later, sample, AUDIT_ADMIN, asked)
    assert [one.state for one in second] == [S.STATE_ERASED, S.STATE_ERASED, stays, stays]
    assert not any(one.traces for one in second)
    again = erase_due(later, sample, SECURITY, asked)
    assert [one.state for one in again] == [S.STATE_ERASED, S.STATE_ERASED, stays, stays]
    told = [e.change for e in events(later, service, before)]
    acts = [(c.action, c.record.removeprefix("subjects/"), c.reason) for c in told]
    assert sorted(acts) == sorted(
        (action, subject, "期满")
        for action in ("erasure_requested", "erased")
        for subject in (mine.ended, mine.also)
    )
    assert mine.ended not in due(later, sample)
    key = later.rows(service, "SELECT key FROM subject WHERE subject = ?", mine.both)
    assert len(key) == 1


@of_persons
def test_a_hold_keeps_a_person_from_erasure_until_it_is_released(
    later: Running, sample: Sample
) -> None:
    subject, service = FOUND[str(sample)].held, sample.service.name
    erase_due(later, sample, SECURITY, [subject])
    before = head(later, service)
    assert hold(later, sample, subject).held_by == AUDIT_ADMIN.actor
    told = due(later, sample)[subject]
    assert (told.hold_reason, told.HasField("due_date")) == ("诉讼保全", True)
    (left,) = erase_due(later, sample, AUDIT_ADMIN, [subject])
    assert (left.state, left.held_by) == (S.STATE_ERASURE_REQUESTED, AUDIT_ADMIN.actor)
    refused = refusal(lambda: erase(later, sample, AUDIT_ADMIN, subject))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "HELD")
    assert refusal(lambda: hold(later, sample, subject)).reason == "STATE_FORBIDS"
    assert not release(later, sample, subject).held_by
    assert refusal(lambda: release(later, sample, subject)).reason == "STATE_FORBIDS"
    acts = [e.change.action for e in events(later, service, before)]
    assert acts == ["hold_placed", "hold_released"]
    (gone,) = erase_due(later, sample, AUDIT_ADMIN, [subject])
    assert gone.state == S.STATE_ERASED


def test_an_erasure_that_waits_for_its_second_person_is_listed(later: Running) -> None:
    sample = PERSONAL[0]
    subject = FOUND[str(sample)].open
    erase(later, sample, SECURITY, subject)
    told = due(later, sample, AUDIT_ADMIN)[subject]
    assert (told.state, told.requested_by) == (S.STATE_ERASURE_REQUESTED, SECURITY.actor)
    assert not told.HasField("due_date")
    assert subject in inbox(later, AUDIT_ADMIN)
    others = [one for s in PERSONAL for one in due(later, s).values()]
    awaited = any(one.HasField("due_date") and not one.held_by for one in others)
    assert ("erase --due" in inbox(later, AUDIT_ADMIN)) == awaited
    assert subject not in inbox(later, SECURITY)
    assert subject not in inbox(later, OFFICER)


def inbox(running: Running, who: Who) -> str:
    said = [
        "--address",
        f"127.0.0.1:{running.process.port}",
        "--as",
        f"{who.department}:{who.actor}",
    ]
    done = CliRunner().invoke(cli, [*said, "--roles", ",".join(who.roles), "inbox", "--json"])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("rpc", ["ListDueSubjects", "EraseDueSubjects", "HoldSubject", "ReleaseSubject"])  # fmt: skip
def test_nobody_else_may(later: Running, rpc: str) -> None:
    said: dict[str, Any] = {"service": "platforms"}
    if rpc != "ListDueSubjects":
        said["reason"] = "x"
        subject = f"ps1-{'A' * 22}"
        said |= {"subjects": [subject]} if rpc == "EraseDueSubjects" else {"subject": subject}
    request = getattr(pb, f"{rpc}Request")(**said)
    who = Who(f"u{uuid.uuid4().hex[:8]}", "AUDIT", AUDITOR.roles)
    call = getattr(stub(later), rpc)
    assert refusal(lambda: call(request, metadata=who.metadata)).reason == "ROLE_MISSING"


def test_a_hold_on_nobody_is_refused(later: Running) -> None:
    nobody = f"ps1-{'A' * 22}"
    assert refusal(lambda: hold(later, PERSONAL[0], nobody)).code == "NOT_FOUND"
    assert refusal(lambda: release(later, PERSONAL[0], nobody)).code == "NOT_FOUND"


def test_operators_are_told_how_many_are_due(later: Running) -> None:
    sample = PERSONAL[0]
    number = uuid.uuid4().hex
    before = Before._record(FOUND[str(sample)], later, sample, number)
    end(later, sample, before)
    later.clock.move(days=366 * MONTHS / 12 + 1)
    gauge = metrics.RETENTION_DUE.labels(sample.service.name)
    until(lambda: gauge._value.get() >= 1, "the day's count")
    assert find(later, sample, number) in due(later, sample)
    assert "erase --due --service platforms" in inbox(later, AUDIT_ADMIN)


def test_the_command_lists_and_erases_what_is_due(later: Running) -> None:
    sample = PERSONAL[1]
    number = uuid.uuid4().hex
    end(later, sample, Before._record(FOUND[str(sample)], later, sample, number))
    later.clock.move(days=366 * MONTHS / 12 + 1)
    subject = find(later, sample, number)

    def run(who: Who, *words: str) -> list[Any]:
        said = ["--address", f"127.0.0.1:{later.process.port}", "--as", f"{who.department}:{who.actor}"]  # fmt: skip
        words = ("privacy", *words, "--service", sample.service.name, "-o", "json")
        done = CliRunner().invoke(cli, [*said, "--roles", ",".join(who.roles), *words])
        assert done.exit_code == 0, done.output
        return [one for one in json.loads(done.stdout) if one["subject"] == subject]

    assert [one["due_date"] for one in run(SECURITY, "due")]
    (asked,) = run(SECURITY, "erase", "--due", "--reason", "期满")
    assert asked["state"] == "STATE_ERASURE_REQUESTED"
    (gone,) = run(AUDIT_ADMIN, "erase", "--due", "--reason", "期满")
    assert gone["state"] == "STATE_ERASED"
    assert run(SECURITY, "due") == []


def test_who_was_named_once_is_kept_for_as_long_as_the_record_is_open(later: Running) -> None:
    """A record that names somebody else now is still the first one's case."""
    sample, numbers = PERSONAL[0], [uuid.uuid4().hex for _ in range(2)]
    record = Before._record(FOUND[str(sample)], later, sample, numbers[0])
    given = sample.record(**{sample.person: Person(name="他人", identity_number=numbers[1])})
    given.name = record.name
    changed = {sample.singular: given, "update_mask": {"paths": [sample.person]}}
    later.call(f"Update{sample.noun}", sample.author, **changed)
    later.clock.move(days=366 * MONTHS / 12 + 1)
    subjects = [find(later, sample, number) for number in numbers]
    assert not set(subjects) & due(later, sample).keys()
    end(later, sample, record)
    assert not set(subjects) & due(later, sample).keys()
    later.clock.move(days=366 * MONTHS / 12 + 1)
    assert set(subjects) <= due(later, sample).keys()


def test_an_older_database_is_told_who_is_named(later: Running) -> None:
    """Last in this file: the table is made anew from the journal."""
    for sample in PERSONAL:
        service = sample.service.name
        url = later.settings.database(service)
        held = later.rows(service, "SELECT subject, record FROM mention ORDER BY 1, 2")
        assert held
        migrated(service, url)
        assert later.rows(service, "SELECT subject, record FROM mention ORDER BY 1, 2") == held


def migrated(service: str, url: str) -> None:
    from alembic import command

    engine = database.writing(url)
    with engine.begin() as connection:
        config = migrate.config_of(service, connection)
        command.downgrade(config, "-1")
        assert "mention" not in sa.inspect(connection).get_table_names()
        command.upgrade(config, "head")
    engine.dispose()


def test_the_day_is_the_first_on_which_it_is_due() -> None:
    from kernel.retention import EPOCH, Term

    for months in (1, 6, 120):
        for number in range(800):
            changed = datetime.date(2026, 1, 1) + datetime.timedelta(days=number)
            noon = datetime.datetime(
                changed.year, changed.month, changed.day, 4, tzinfo=datetime.UTC
            )
            last = (noon - EPOCH) // datetime.timedelta(microseconds=1)
            day = Term(months, changed).due_date(last)
            eve = day - datetime.timedelta(days=1)
            assert last < Term(months, day).before
            assert last >= Term(months, eve).before
