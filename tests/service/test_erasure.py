"""Erasing a person: who may, what it leaves, and that nothing of the person is anywhere afterwards."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import rebuild
from app.catalogue import NAMES
from kernel import metrics
from luoshu.audit.v1 import audit_pb2, audit_pb2_grpc
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.privacy.v1 import privacy_pb2 as pb
from luoshu.privacy.v1 import privacy_pb2_grpc
from luoshu.reports.v1 import reports_pb2, reports_pb2_grpc
from services.audit.check import verify_stored
from services.audit.keys import parse_signer
from tests import invariants
from tests.flow.separate import until
from tests.running import MovableClock, Running, Who, told
from tests.service.registry_suite import (
    APPLICANT,
    AUDITOR,
    OFFICER,
    PERSONAL,
    UNIT,
    Sample,
    furnish,
)
from tests.service.test_access_journal import events, head

SECURITY = Who("sun", "DST", ("security_administrator",))
AUDIT_ADMIN = Who("zhou", "AUDIT", ("audit_administrator",))
CANARY = Person(name="金丝雀望舒", phone="0371-99887766", identity_number="41010219881122334X")
VALUES = (CANARY.name, CANARY.phone, CANARY.identity_number)
S = pb.Subject.State


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process of its own, whose files are searched."""
    running = Running(tmp_path_factory.mktemp("erasure"), NAMES, MovableClock()).start()
    furnish(running)
    yield running
    running.stop()


def ask(running: Running, who: Who, service: str, subject: str, reason: str = "本人要求") -> Any:
    stub = privacy_pb2_grpc.PrivacyServiceStub(running.channel)
    request = pb.EraseSubjectRequest(service=service, subject=subject, reason=reason)
    return stub.EraseSubject(request, metadata=who.metadata)


def find(running: Running, who: Who, service: str, number: str) -> Any:
    stub = privacy_pb2_grpc.PrivacyServiceStub(running.channel)
    request = pb.FindSubjectRequest(service=service, person=Person(identity_number=number))
    return stub.FindSubject(request, metadata=who.metadata)


def refused(call: Any) -> str:
    import grpc

    with pytest.raises(grpc.RpcError) as caught:
        call()
    return told(caught.value).reason


def planted(running: Running, sample: Sample, person: Person | None = None) -> tuple[Any, str]:
    """Return a record of a person whom nobody else is, and the person's pseudonym."""
    person = person or Person(name="某人", identity_number=uuid.uuid4().hex)
    record = sample.record(**{sample.person: person, "title": uuid.uuid4().hex})
    made = running.call(f"Create{sample.noun}", sample.author, **{sample.singular: record})
    return made, getattr(made, sample.person).subject


of_persons = pytest.mark.parametrize("sample", PERSONAL, ids=str)


@of_persons
def test_it_takes_two_persons_of_different_roles(alone: Running, sample: Sample) -> None:
    service, (record, subject) = sample.service.name, planted(alone, sample)
    before = head(alone, service)
    assert ask(alone, SECURITY, service, subject).state == S.STATE_ERASURE_REQUESTED
    colleague = Who("another", "DST", SECURITY.roles)
    assert refused(lambda: ask(alone, SECURITY, service, subject)) == "FOUR_EYES"
    assert refused(lambda: ask(alone, colleague, service, subject)) == "FOUR_EYES"
    assert not getattr(sample.get(alone, record.name), sample.person).name.startswith("pc1:")
    done = ask(alone, AUDIT_ADMIN, service, subject)
    assert (done.state, done.requested_by, done.erased_by) == (S.STATE_ERASED, "sun", "zhou")
    assert not done.traces
    assert getattr(sample.get(alone, record.name), sample.person).name.startswith("pc1:")
    acts = [e.change.action for e in events(alone, service, before)]
    assert [a for a in acts if a.startswith("eras")] == ["erasure_requested", "erased"]
    last = next(e for e in events(alone, service, before) if e.change.action == "erased")
    assert (last.change.record, last.change.reason) == (f"subjects/{subject}", "本人要求")
    assert refused(lambda: ask(alone, SECURITY, service, subject)) == "NOT_FOUND"


@pytest.mark.parametrize(
    "who", [OFFICER, APPLICANT, AUDITOR, Who("r", "OPS", ("operator", "system_administrator"))]
)
def test_nobody_else_may_and_that_is_told(alone: Running, who: Who) -> None:
    _, subject = planted(alone, PERSONAL[0])
    who = Who(f"u{uuid.uuid4().hex[:8]}", who.department, who.roles)
    before = head(alone, "platforms")
    assert refused(lambda: ask(alone, who, "platforms", subject)) == "ROLE_MISSING"
    (event,) = events(alone, "platforms", before)
    assert (event.change.action, event.access.attempted) == ("denied", "EraseSubject")


@of_persons
def test_a_person_is_found_by_the_number_and_the_search_is_told(
    alone: Running, sample: Sample
) -> None:
    number = uuid.uuid4().hex
    _, subject = planted(alone, sample, Person(name="某人", identity_number=number))
    before = head(alone, sample.service.name)
    found = find(alone, SECURITY, sample.service.name, number)
    assert (found.subject, found.state) == (subject, S.STATE_HELD)
    assert find(alone, SECURITY, sample.service.name, "nobody").state == S.STATE_UNKNOWN
    acts = [(e.change.action, e.access.attempted) for e in events(alone, sample.service.name, before)]  # fmt: skip
    assert acts == [("read_protected", "FindSubject")] * 2
    assert refused(lambda: find(alone, AUDITOR, sample.service.name, number)) == "ROLE_MISSING"


def test_after_an_erasure_nothing_of_the_person_is_anywhere(alone: Running, tmp_path: Path) -> None:
    """Canaries are planted in every registry, changed, refused, listed and logged; then every file is searched."""
    subjects = {}
    for sample in PERSONAL:
        record, subject = planted(alone, sample, CANARY)
        for title in ("第二次", "第三次"):
            sample.retitle(alone, record, title)
        sample.act(alone, record)
        sample.page(alone, OFFICER)
        bad = sample.record(**{sample.person: Person(name=CANARY.name * 30)})
        refused(lambda s=sample, b=bad: alone.call(f"Create{s.noun}", s.author, **{s.singular: b}))
        row = sample.row(uuid.uuid4().hex, sample.history(**{sample.person: CANARY}))
        assert sample.enter(alone, row)[0].name
        subjects[sample.service.name] = subject
    keys = [
        key for service, subject in subjects.items() for key in wrapped(alone, service, subject)
    ]
    assert len(keys) == 3
    assert all(any(key in path.read_bytes() for path in alone.files()) for key in keys)
    journals = {name: journal(alone, name) for name in subjects}
    for service, subject in subjects.items():
        ask(alone, SECURITY, service, subject, "canary")
        assert not ask(alone, AUDIT_ADMIN, service, subject, "canary").traces
    for where, content in haystack(alone, tmp_path):
        assert [v for v in VALUES if v.encode() in content] == [], where
        assert [key for key in keys if key in content] == [], where
    assert {name: journal(alone, name) for name in subjects} == journals
    verified(alone)
    replayed(alone)


def wrapped(running: Running, service: str, subject: str) -> list[bytes]:
    found = running.rows(service, "SELECT key FROM subject WHERE subject = ?", subject)
    return [bytes(key) for (key,) in found]


def journal(running: Running, service: str) -> list[tuple[Any, ...]]:
    return running.rows(service, "SELECT position, event FROM journal ORDER BY position")


def haystack(running: Running, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything that is kept or can be had: files, topics' messages, exports, metrics."""
    for path in running.files():
        yield str(path), path.read_bytes()
    from prometheus_client import generate_latest

    yield "metrics", generate_latest(metrics.REGISTRY)
    yield from topics(running)
    audit = audit_pb2_grpc.AuditServiceStub(running.channel)
    request = audit_pb2.ListEntriesRequest(page_size=1000, include_event=True)
    while True:
        page = audit.ListEntries(request, metadata=AUDITOR.metadata)
        yield "audit entries", page.SerializeToString()
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    yield from reports(running)


def topics(running: Running) -> Iterator[tuple[str, bytes]]:
    """Messages as the relay would publish them: of both journals of every service."""
    from kernel.cloudevents import message_of

    for source in (*NAMES[:4], *(f"{name}_access" for name in NAMES)):
        for entry in running.watch("ReadJournal", AUDITOR, source=source):
            yield source, repr(message_of(entry)).encode() + message_of(entry).value


def reports(running: Running) -> Iterator[tuple[str, bytes]]:
    stub = reports_pb2_grpc.ReportServiceStub(running.channel)
    for summary in stub.ListReports(reports_pb2.ListReportsRequest(), metadata=OFFICER.metadata).reports:  # fmt: skip
        for style in (reports_pb2.FORMAT_JSON, reports_pb2.FORMAT_HTML):
            request = reports_pb2.RenderReportRequest(name=summary.name, format=style)
            yield summary.name, stub.RenderReport(request, metadata=OFFICER.metadata).content


def verified(running: Running) -> None:
    """The log is still what was signed, and has both journals of every registry."""
    from kernel import database

    signer = parse_signer((running.folder / "audit.key").read_text("ascii"))
    for sample in PERSONAL:
        until(lambda s=sample: audited(running, s.service.name), f"{sample.service.name} audited")
    engine = database.reading(running.settings.database("audit"))

    def sound() -> bool:
        with engine.connect() as tx:
            return verify_stored(tx, signer.verifier.encoded()).findings == ()

    until(sound, "the log to be what is signed")  # entries are signed a moment after they came
    engine.dispose()


def audited(running: Running, service: str) -> bool:
    lines = invariants.demand_access(running.settings.database(service))
    try:
        url = running.settings.database("audit")
        invariants.demand_audited(lines, url, f"{service}_access")
    except AssertionError:
        return False
    return True


def replayed(running: Running) -> None:
    """The reports, built anew from the events, are the ones that there are."""
    entries = rebuild.from_journals(running.settings)
    with rebuild.rebuilding(running.settings, entries) as made:
        found = made.compare(lambda source, count: None)
    assert [one.difference for one in found if one.difference] == []


def test_the_command_tells_what_is_kept_how_long() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "privacy", "retention"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "for ever · 永久" in done.stdout
    assert "6 months · 6 个月" in done.stdout
    assert "personal-information-law" in done.stdout


def test_the_pages_of_a_key_are_overwritten(alone: Running) -> None:
    """Not the row alone: copies that page splits left behind go too."""
    sample = PERSONAL[0]
    for _ in range(40):
        planted(alone, sample)
    _, subject = planted(alone, sample)
    (key,) = wrapped(alone, "platforms", subject)
    for _ in range(40):
        planted(alone, sample)
    ask(alone, SECURITY, "platforms", subject)
    assert not ask(alone, AUDIT_ADMIN, "platforms", subject).traces
    assert [p.name for p in alone.files() if key in p.read_bytes()] == []
    assert len(alone.rows("platforms", "SELECT subject FROM subject")) >= 80, UNIT


def test_a_request_lapses_after_thirty_days(alone: Running) -> None:
    sample = PERSONAL[0]  # last in this file: the clock moves
    service, (_, subject) = sample.service.name, planted(alone, sample)
    ask(alone, SECURITY, service, subject)
    alone.clock.move(days=31)
    assert ask(alone, AUDIT_ADMIN, service, subject).state == S.STATE_ERASURE_REQUESTED
    assert ask(alone, SECURITY, service, subject).state == S.STATE_ERASED
