"""What leaves an access event and what leaves none, over every registry, by the journal and by the audit's log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from kernel.access import access_source
from luoshu.events.v1 import events_pb2, events_pb2_grpc
from luoshu.journal.v1.journal_pb2 import AccessEvent
from luoshu.privacy.v1 import privacy_pb2, privacy_pb2_grpc
from tests import invariants
from tests.flow.separate import until
from tests.running import Running, Who, new_request_id, refusal
from tests.service.access_events import events
from tests.service.registry_suite import (
    APPLICANT,
    AUDITOR,
    OFFICER,
    PERSONAL,
    PLATFORM,
    SAMPLES,
    STRANGER,
    Sample,
)

OPERATOR = Who("root", "OPS", ("operator",))
of_each = pytest.mark.parametrize("sample", SAMPLES, ids=str)
of_persons = pytest.mark.parametrize("sample", PERSONAL, ids=str)


def somebody(roles: tuple[str, ...], department: str = "X") -> Who:
    """Return a caller whom no other test knows: floods are counted by account."""
    return Who(f"u{new_request_id()[:12]}", department, roles)


def head(running: Running, service: str) -> int:
    return int(running.rows(service, "SELECT position FROM access_head")[0][0])


@contextmanager
def told(running: Running, service: str) -> Iterator[list[AccessEvent]]:
    """Give the events that came while the block ran."""
    before, found = head(running, service), list[AccessEvent]()
    yield found
    found += events(running, service, before)


def what(event: AccessEvent) -> tuple[str, str, str, str, str]:
    change, access = event.change, event.access
    return change.action, access.attempted, change.record, change.actor, access.code


@of_each
def test_a_denied_action_is_told_with_rights_request_and_reason(
    registries: Running, sample: Sample
) -> None:
    record, who = sample.create(registries), somebody(("expert_reviewer", "auditor"), "AUDIT")
    action, _, own = sample.first
    with told(registries, sample.service.name) as found:
        wrong = refusal(
            lambda: registries.call(
                sample.rpc(action), who, name=record.name, request_id=f"q{who.actor}", **own
            )
        )
    (event,) = found
    assert wrong.code == "PERMISSION_DENIED"
    assert what(event) == ("denied", action, record.name, who.actor, wrong.reason)
    assert list(event.change.roles) == ["auditor", "expert_reviewer"]
    assert (event.change.department, event.change.request_id) == ("AUDIT", f"q{who.actor}")
    assert len(event.access.request_hash) == 16


@of_each
def test_a_denied_creation_names_the_kind(registries: Running, sample: Sample) -> None:
    who = somebody(("auditor",))
    with told(registries, sample.service.name) as found:
        refusal(lambda: sample.create(registries, who))
    (event,) = found
    assert what(event) == ("denied", "create", sample.collection, who.actor, "ROLE_MISSING")


@of_each
def test_an_import_without_the_role_is_told(registries: Running, sample: Sample) -> None:
    who = somebody(("auditor",))
    with told(registries, sample.service.name) as found:
        refusal(lambda: registries.feed(f"Import{sample.plural}", who, [sample.rows()]))
    (event,) = found
    assert what(event) == ("denied", f"Import{sample.plural}", "", who.actor, "ROLE_MISSING")


@of_each
def test_a_look_at_a_record_outside_of_the_callers_scope_is_told(
    registries: Running, sample: Sample
) -> None:
    record, who = sample.create(registries), somebody(("applicant",), "914403001922038216")
    before = head(registries, sample.service.name)
    wrong = refusal(lambda: sample.get(registries, record.name, who))
    assert wrong.code == "NOT_FOUND"
    found = _soon(registries, sample.service.name, before, 1)
    assert what(found[0]) == (
        "denied", f"Get{sample.noun}", record.name, who.actor, "OUT_OF_SCOPE",
    )  # fmt: skip


@of_each
def test_what_is_refused_for_other_reasons_leaves_no_access_event(
    registries: Running, sample: Sample
) -> None:
    record = sample.create(registries)
    action, who, own = sample.forbidden
    with told(registries, sample.service.name) as found:
        forbidden = refusal(
            lambda: registries.call(sample.rpc(action), who, name=record.name, **own)
        )
        missing = refusal(lambda: sample.get(registries, f"{sample.collection}/nothing", AUDITOR))
        stale = refusal(lambda: sample.retitle(registries, record, "新", etag="r9"))
        bad = refusal(lambda: sample.create(registries, title="x" * 5000))
        sample.page(registries, AUDITOR)
        sample.get(registries, record.name, AUDITOR)
    assert [w.code for w in (forbidden, missing, stale, bad)] == [
        "FAILED_PRECONDITION", "NOT_FOUND", "ABORTED", "INVALID_ARGUMENT",
    ]  # fmt: skip
    assert found == []


@of_each
def test_a_flood_of_denials_is_one_event_and_a_count(registries: Running, sample: Sample) -> None:
    record, who = sample.create(registries), somebody(("auditor",))
    action, _, own = sample.first
    with told(registries, sample.service.name) as found:
        for _ in range(30):
            refusal(lambda: registries.call(sample.rpc(action), who, name=record.name, **own))
    assert [event.change.actor for event in found] == [who.actor]
    kept = registries.rows(
        sample.service.name, "SELECT counted FROM access_flood WHERE actor = ?", who.actor
    )
    assert kept == [(29,)]


@of_persons
def test_a_read_of_persons_is_told_before_they_are_shown(
    registries: Running, sample: Sample
) -> None:
    record = sample.create(registries)
    sample.act(registries, record)
    who = Who("li-reads", OFFICER.department, OFFICER.roles)
    calls = {
        f"Get{sample.noun}": lambda: sample.get(registries, record.name, who),
        f"List{sample.plural}": lambda: sample.page(
            registries, who, filter=f'name = "{record.name}"'
        ),
        f"List{sample.noun}Revisions": lambda: registries.call(
            f"List{sample.noun}Revisions", who, name=record.name, page_size=1
        ),
    }
    for rpc, call in calls.items():
        with told(registries, sample.service.name) as found:
            call()
        assert [what(e) for e in found] == [("read_protected", rpc, record.name, who.actor, "")]
        assert all(len(e.access.request_hash) == 16 for e in found)


@of_persons
def test_who_sees_commitments_only_leaves_no_event(registries: Running, sample: Sample) -> None:
    record = sample.act(registries, sample.create(registries))
    with told(registries, sample.service.name) as found:
        for who in (AUDITOR, OPERATOR, Who("e", "DST", ("expert_reviewer",))):
            assert getattr(sample.get(registries, record.name, who), sample.person).name.startswith(
                "pc1:"
            )
            sample.page(registries, who, filter=f'name = "{record.name}"')
    assert found == []


@of_persons
def test_the_answer_to_a_change_that_shows_persons_is_told_with_the_change(
    registries: Running, sample: Sample
) -> None:
    with told(registries, sample.service.name) as created:
        record = sample.create(registries)
    assert created == []  # the author gave them itself
    with told(registries, sample.service.name) as found:
        sample.retitle(registries, record, "新名称", request_id=(request_id := new_request_id()))
        sample.retitle(registries, record, "新名称", request_id=request_id)
    assert [what(e)[:3] for e in found] == [("read_protected", "update", record.name)] * 2
    assert all(len(e.access.request_hash) == 16 for e in found)
    with told(registries, sample.service.name) as tried:
        sample.retitle(registries, record, "另一名称", validate_only=True)
    assert tried == []  # nothing is shown


def test_a_journal_read_by_a_person_is_an_export(registries: Running) -> None:
    for source in ("platforms", "platforms_access"):
        with told(registries, "platforms") as found:
            next(stream := registries.watch("ReadJournal", AUDITOR, source=source, limit=1))
            stream.cancel()
        assert [what(e)[:3] for e in found] == [("exported", "ReadJournal", f"journals/{source}")]


def test_a_service_that_reads_a_journal_leaves_no_event(registries: Running) -> None:
    service = Who("luoshu", "SYSTEM", ("system",))
    with told(registries, "platforms") as found:
        list(registries.watch("ReadJournal", service, source="platforms", limit=1))
    assert found == []


@pytest.mark.parametrize("rpc", ["ReadJournal", "GetJournalHead"])
def test_a_journal_is_denied_to_everybody_else_and_that_is_told(
    registries: Running, rpc: str
) -> None:
    who = somebody(("case_officer", "approver"), "DST")
    with told(registries, "funding") as found:
        wrong = refusal(lambda: _asked(registries, rpc, who))
    assert wrong.code == "PERMISSION_DENIED"
    assert [what(e)[:2] for e in found] == [("denied", rpc)]


def _asked(running: Running, rpc: str, who: Who) -> Any:
    if rpc == "ReadJournal":
        return next(running.watch(rpc, who, source="funding_access"))
    return running.call(rpc, who, source="funding_access")


def test_the_audit_and_the_reports_keep_what_they_deny_and_hand_out(registries: Running) -> None:
    from luoshu.audit.v1 import audit_pb2, audit_pb2_grpc

    stub = audit_pb2_grpc.AuditServiceStub(registries.channel)
    who = somebody(("case_officer",), "DST")
    with told(registries, "audit") as found:
        refusal(lambda: stub.ListEntries(audit_pb2.ListEntriesRequest(), metadata=who.metadata))
        stub.ListEntries(audit_pb2.ListEntriesRequest(), metadata=AUDITOR.metadata)
        handed = audit_pb2.ListEntriesRequest(include_event=True, page_size=1)
        page = stub.ListEntries(handed, metadata=AUDITOR.metadata)
        handed.page_token = page.next_page_token
        stub.ListEntries(handed, metadata=AUDITOR.metadata)
    handed_out = ("exported", "ListEntries")
    assert [what(e)[:2] for e in found] == [("denied", "ListEntries"), handed_out, handed_out]
    assert found[1].access.request_hash != found[2].access.request_hash  # two pages


def test_events_cannot_be_taken_behind_a_first_page_without_them(registries: Running) -> None:
    from luoshu.audit.v1 import audit_pb2, audit_pb2_grpc

    stub = audit_pb2_grpc.AuditServiceStub(registries.channel)
    with told(registries, "audit") as found:
        query = audit_pb2.ListEntriesRequest(page_size=1, oldest_first=True)
        query.page_token = stub.ListEntries(query, metadata=AUDITOR.metadata).next_page_token
        query.include_event = True
        assert stub.ListEntries(query, metadata=AUDITOR.metadata).entries[0].event
    assert [what(e)[:2] for e in found] == [("exported", "ListEntries")]


def test_entries_fetched_as_files_are_an_export_and_hashes_are_none(registries: Running) -> None:
    from luoshu.audit.v1 import audit_pb2, audit_pb2_grpc

    stub = audit_pb2_grpc.AuditServiceStub(registries.channel)

    def signed() -> bool:
        with suppress(grpc.RpcError):
            newest = audit_pb2.GetCheckpointRequest()
            return bool(stub.GetCheckpoint(newest, metadata=AUDITOR.metadata).size)
        return False

    until(signed, "a checkpoint")
    with told(registries, "audit") as found:
        for kind in ("0", "entries"):
            path = f"tile/{kind}/000.p/1"
            stub.ReadTile(audit_pb2.ReadTileRequest(path=path), metadata=AUDITOR.metadata)
    assert [what(e)[:3] for e in found] == [("exported", "ReadTile", "tile/entries/000.p/1")]


def test_a_denied_erasure_is_kept_by_the_service_that_was_named(registries: Running) -> None:
    who, stub = somebody(("case_officer",), "DST"), privacy_pb2_grpc.PrivacyServiceStub
    asked = privacy_pb2.EraseSubjectRequest(
        service="funding", subject=f"ps1-{'a' * 22}", reason="x"
    )
    with told(registries, "platforms") as first, told(registries, "funding") as found:
        refusal(lambda: stub(registries.channel).EraseSubject(asked, metadata=who.metadata))
    assert (first, [what(e)[:2] for e in found]) == ([], [("denied", "EraseSubject")])


def test_denied_parked_events_are_kept_by_the_consumer_that_was_named(registries: Running) -> None:
    who, stub = somebody(("case_officer",), "DST"), events_pb2_grpc.EventServiceStub
    asked = events_pb2.RedriveParkedEventsRequest(consumer="coordination")
    with told(registries, "platforms") as first, told(registries, "coordination") as found:
        refusal(lambda: stub(registries.channel).RedriveParkedEvents(asked, metadata=who.metadata))
    assert (first, [what(e)[:2] for e in found]) == ([], [("denied", "RedriveParkedEvents")])


def test_a_start_tells_what_it_was_started_with(registries: Running) -> None:
    for service in ("platforms", "audit", "reports"):
        first = events(registries, service)[0]
        assert what(first)[:2] == ("started", "serve")
        assert "LUOSHU_DATA_DIR" in first.access.details
        assert len(first.access.details["key"]) == 32
        assert list(first.change.roles) == ["operator"]


@pytest.mark.parametrize("service", ["platforms", "technologies", "funding", "audit"])
def test_the_access_journal_is_dense_and_the_audit_has_all_of_it(
    registries: Running, service: str
) -> None:
    sample = PLATFORM
    refusal(lambda: sample.create(registries, somebody(("auditor",))))
    lines = invariants.demand_access(registries.settings.database(service))
    assert lines
    deadline, source = time.monotonic() + 30, access_source(service)
    while time.monotonic() < deadline:
        try:
            invariants.demand_audited(lines, registries.settings.database("audit"), source)
            return
        except AssertionError:
            time.sleep(0.2)
            lines = invariants.demand_access(registries.settings.database(service))
    invariants.demand_audited(lines, registries.settings.database("audit"), source)


def test_no_personal_datum_is_in_any_access_event(registries: Running) -> None:
    from tests.service.registry_suite import NAME, NUMBER, PHONE

    for service in ("platforms", "technologies", "funding"):
        for event in events(registries, service):
            body = event.SerializeToString()
            assert [v for v in (NAME, NUMBER, PHONE) if v.encode() in body] == []


def test_without_the_access_event_neither_a_denial_nor_a_person_is_answered(
    registries: Running,
) -> None:
    """The table is taken away for a moment: what cannot be recorded is not answered."""
    record = PLATFORM.create(registries)
    database = registries.settings.database("platforms")
    _rename(database, "access_journal", "away")
    try:
        denied = refusal(lambda: PLATFORM.create(registries, somebody(("auditor",))))
        read = refusal(lambda: PLATFORM.get(registries, record.name, APPLICANT))
        assert (denied.code, read.code) == ("UNAVAILABLE", "UNAVAILABLE")
        assert PLATFORM.get(registries, record.name, STRANGER_WHO_SEES_ALL).name == record.name
    finally:
        _rename(database, "away", "access_journal")


STRANGER_WHO_SEES_ALL = Who(STRANGER.actor, "AUDIT", ("auditor",))


def _rename(url: str, old: str, new: str) -> None:
    from kernel import database

    engine = database.writing(url)
    with engine.begin() as tx:
        tx.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))
    engine.dispose()


def _soon(running: Running, service: str, after: int, count: int) -> list[AccessEvent]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and len(events(running, service, after)) < count:
        time.sleep(0.05)
    return events(running, service, after)
