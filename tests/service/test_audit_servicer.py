"""The audit's RPCs on a log of 30 entries."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import protovalidate
import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.case import Caller, Role
from kernel.errors import Denied, DomainError, Invalid, NotFound
from kernel.pack import Pack
from luoshu.audit.v1 import audit_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Change, EventHead, JournalEntry
from services.audit import merkle, search
from services.audit.domain import leaf
from services.audit.keys import Signer, parse_verifier
from services.audit.note import verify_checkpoint
from services.audit.policy import Policy
from services.audit.questions import Asking
from services.audit.servicer import AuditServicer
from services.audit.view import Registries
from tests.service.audit_log import Log, audit_engine

ASKING, REGISTRIES = Asking(cast(Pack, None), {}), Registries({}, {})
SIGNER = Signer("log.example/henan", bytes(range(32)))
TIME = 1_755_000_000
ACTORS = ("li", "wang", "zhao")
AUDITOR = Caller("auditor-1", "DRC", frozenset({Role.AUDITOR}))
OPERATOR = Caller("operator-1", "DRC", frozenset({Role.OPERATOR}))
OFFICER = Caller("officer-1", "DST", frozenset({Role.CASE_OFFICER}))


def line(position: int) -> JournalEntry:
    change = Change(
        position=position,
        record=f"platforms/p{position % 5}",
        action="submit" if position % 2 else "update",
        actor=ACTORS[position % 3],
        department="DST" if position % 4 else "DIIT",
        roles=["applicant"],
    )
    change.commit_time.FromSeconds(TIME + position)
    return JournalEntry(
        source="platforms",
        position=position,
        event=EventHead(change=change).SerializeToString() + b"\x12\x03abc",
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> sa.Engine:
    path = tmp_path_factory.mktemp("audit") / "audit.db"
    engine = audit_engine(path)
    log = Log(engine, SIGNER, ("platforms", "funding"), lambda: TIME * 1_000_000)
    asyncio.run(log.apply("platforms", [line(position) for position in range(1, 21)]))
    asyncio.run(log.apply("funding", [JournalEntry(source="funding", position=1, event=b"\xff")]))
    asyncio.run(log.apply("platforms", [line(position) for position in range(21, 30)]))
    return engine


@pytest.fixture
def servicer(engine: sa.Engine) -> AuditServicer:
    return AuditServicer(engine, [Policy((SIGNER.verifier,))], ASKING, REGISTRIES)


async def listed(servicer: AuditServicer, **query: Any) -> list[pb.Entry]:
    """All pages of a query."""
    entries: list[pb.Entry] = []
    token = ""
    while True:
        request = pb.ListEntriesRequest(page_token=token, **query)
        protovalidate.validate(request)
        page = await servicer.ListEntries(request, AUDITOR)
        entries += page.entries
        token = page.next_page_token
        if not token:
            return entries


async def test_the_newest_entry_comes_first_unless_asked_otherwise(servicer: AuditServicer) -> None:
    assert [entry.index for entry in await listed(servicer)] == list(range(29, -1, -1))
    oldest = await listed(servicer, oldest_first=True)
    assert [entry.index for entry in oldest] == list(range(30))


@pytest.mark.parametrize("size", [1, 7, 29, 30, 31])
@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_join_without_loss_or_double(
    servicer: AuditServicer, size: int, oldest_first: bool
) -> None:
    paged = await listed(servicer, page_size=size, oldest_first=oldest_first)
    assert paged == await listed(servicer, oldest_first=oldest_first)


async def test_an_entry_tells_who_did_what_under_which_rights(servicer: AuditServicer) -> None:
    first = (await listed(servicer, oldest_first=True))[0]
    assert (first.name, first.source, first.position) == ("entries/0", "platforms", 1)
    assert (first.change.actor, first.change.action, list(first.change.roles)) == (
        "wang",
        "submit",
        ["applicant"],
    )
    assert first.event == b""
    assert first.leaf_hash == merkle.leaf_hash(leaf("platforms", 0, 1, line(1).event))


async def test_event_bytes_come_when_they_are_asked_for(servicer: AuditServicer) -> None:
    entries = await listed(servicer, oldest_first=True, include_event=True)
    assert entries[0].event == line(1).event


async def test_an_event_that_cannot_be_read_is_listed_without_a_head(
    servicer: AuditServicer,
) -> None:
    (entry,) = await listed(servicer, source="funding", include_event=True)
    assert not entry.HasField("change")
    assert entry.event == b"\xff"


async def test_every_condition_must_hold(servicer: AuditServicer) -> None:
    found = await listed(
        servicer, record="platforms/p1", actor="wang", action="submit", department="DST"
    )
    expected = [
        position
        for position in range(29, 0, -1)
        if position % 5 == 1 and position % 3 == 1 and position % 2 and position % 4
    ]
    assert [entry.position for entry in found] == expected


async def test_start_is_in_the_interval_and_end_is_not(servicer: AuditServicer) -> None:
    found = await listed(servicer, start_time={"seconds": TIME + 5}, end_time={"seconds": TIME + 8})
    assert [entry.position for entry in found] == [7, 6, 5]


async def test_what_tells_no_time_is_in_no_interval(servicer: AuditServicer) -> None:
    found = await listed(servicer, start_time={"seconds": -1})
    assert {entry.source for entry in found} == {"platforms"}
    found = await listed(servicer, end_time={"seconds": TIME * 2})
    assert len(found) == 29


async def test_an_instant_outside_the_calendar_is_refused(servicer: AuditServicer) -> None:
    request = pb.ListEntriesRequest(start_time=Timestamp(seconds=2**62))
    with pytest.raises(Invalid) as caught:
        await servicer.ListEntries(request, AUDITOR)
    assert caught.value.field == "start_time"


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "MTIuMDAwMDAwMDAwMDAwMDAwMA=="])
async def test_a_token_that_was_never_given_is_refused(servicer: AuditServicer, token: str) -> None:
    with pytest.raises(Invalid) as caught:
        await servicer.ListEntries(pb.ListEntriesRequest(page_token=token), AUDITOR)
    assert caught.value.field == "page_token"


async def test_a_token_of_another_query_is_refused(servicer: AuditServicer) -> None:
    page = await servicer.ListEntries(pb.ListEntriesRequest(page_size=3), AUDITOR)
    request = pb.ListEntriesRequest(page_size=3, actor="li", page_token=page.next_page_token)
    with pytest.raises(Invalid):
        await servicer.ListEntries(request, AUDITOR)


async def test_a_page_ends_before_it_is_too_large_to_send(
    servicer: AuditServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await listed(servicer, include_event=True)
    monkeypatch.setattr(search, "MAX_PAGE_BYTES", 300)
    page = await servicer.ListEntries(pb.ListEntriesRequest(include_event=True), AUDITOR)
    assert 0 < len(page.entries) < 5
    assert page.next_page_token
    assert await listed(servicer, include_event=True) == whole
    monkeypatch.setattr(search, "MAX_PAGE_BYTES", 1)
    assert await listed(servicer, include_event=True) == whole


async def test_an_entry_is_read_by_its_name(servicer: AuditServicer) -> None:
    entry = await servicer.GetEntry(pb.GetEntryRequest(name="entries/4"), AUDITOR)
    assert (entry.position, entry.event) == (5, line(5).event)
    with pytest.raises(NotFound):
        await servicer.GetEntry(pb.GetEntryRequest(name="entries/30"), AUDITOR)


async def test_every_inclusion_proof_leads_to_the_signed_root(servicer: AuditServicer) -> None:
    for index in range(30):
        request = pb.GetInclusionProofRequest(index=index)
        proof = await servicer.GetInclusionProof(request, AUDITOR)
        signed = verify_checkpoint(proof.checkpoint, SIGNER.verifier)
        assert (proof.index, proof.tree_size, signed.size) == (index, 30, 30)
        assert merkle.inclusion_holds(index, 30, proof.leaf_hash, list(proof.hashes), signed.root)


async def test_a_proof_is_found_by_the_place_in_the_journal(servicer: AuditServicer) -> None:
    place = pb.JournalPosition(source="platforms", position=21)
    request = pb.GetInclusionProofRequest(journal_position=place, tree_size=25)
    proof = await servicer.GetInclusionProof(request, AUDITOR)
    assert (proof.index, proof.tree_size, proof.checkpoint) == (21, 25, "")
    assert proof.leaf_hash == merkle.leaf_hash(leaf("platforms", 0, 21, line(21).event))


async def test_what_is_not_in_the_log_has_no_proof(servicer: AuditServicer) -> None:
    place = pb.JournalPosition(source="platforms", position=30)
    for request in (
        pb.GetInclusionProofRequest(index=30),
        pb.GetInclusionProofRequest(journal_position=place),
    ):
        with pytest.raises(NotFound):
            await servicer.GetInclusionProof(request, AUDITOR)


@pytest.mark.parametrize("size", [7, 31, 2**62])
async def test_a_proof_in_a_log_without_the_entry_is_refused(
    servicer: AuditServicer, size: int
) -> None:
    request = pb.GetInclusionProofRequest(index=7, tree_size=size)
    with pytest.raises(Invalid) as caught:
        await servicer.GetInclusionProof(request, AUDITOR)
    assert caught.value.field == "tree_size"


async def test_signed_sizes_are_proved_to_be_one_line(servicer: AuditServicer) -> None:
    signed = {}
    for size in (20, 21, 30):
        answer = await servicer.GetCheckpoint(pb.GetCheckpointRequest(size=size), OPERATOR)
        signed[size] = verify_checkpoint(answer.note, parse_verifier(answer.verifier_key)).root
    for first, last in ((20, 21), (20, 0), (21, 30), (30, 30)):
        request = pb.GetConsistencyProofRequest(first=first, last=last)
        proof = await servicer.GetConsistencyProof(request, AUDITOR)
        assert proof.last == (last or 30)
        assert merkle.consistency_holds(
            first, proof.last, signed[first], signed[proof.last], list(proof.hashes)
        )


@pytest.mark.parametrize(
    ("first", "last", "field"), [(31, 0, "first"), (9, 8, "first"), (1, 31, "last")]
)
async def test_a_consistency_proof_past_the_log_is_refused(
    servicer: AuditServicer, first: int, last: int, field: str
) -> None:
    request = pb.GetConsistencyProofRequest(first=first, last=last)
    with pytest.raises(Invalid) as caught:
        await servicer.GetConsistencyProof(request, AUDITOR)
    assert caught.value.field == field


async def test_the_latest_checkpoint_is_the_default(servicer: AuditServicer) -> None:
    answer = await servicer.GetCheckpoint(pb.GetCheckpointRequest(), AUDITOR)
    assert answer.size == verify_checkpoint(answer.note, SIGNER.verifier).size == 30
    assert answer.verifier_key == SIGNER.verifier.encoded()
    assert answer.sign_time.ToSeconds() == TIME
    with pytest.raises(NotFound):
        await servicer.GetCheckpoint(pb.GetCheckpointRequest(size=22), AUDITOR)


async def test_an_empty_log_answers_without_a_fault(tmp_path: Path) -> None:
    engine = audit_engine(tmp_path / "empty.db")
    servicer = AuditServicer(engine, [Policy((SIGNER.verifier,))], ASKING, REGISTRIES)
    assert await listed(servicer) == []
    for call in (
        servicer.GetCheckpoint(pb.GetCheckpointRequest(), AUDITOR),
        servicer.GetInclusionProof(pb.GetInclusionProofRequest(index=0), AUDITOR),
        servicer.GetConsistencyProof(pb.GetConsistencyProofRequest(first=1), AUDITOR),
    ):
        with pytest.raises(DomainError):
            await call


CALLS: list[tuple[Callable[[AuditServicer, Caller], Awaitable[object]], bool]] = [
    (lambda s, c: s.ListEntries(pb.ListEntriesRequest(), c), False),
    (lambda s, c: s.GetEntry(pb.GetEntryRequest(name="entries/0"), c), False),
    (lambda s, c: s.GetInclusionProof(pb.GetInclusionProofRequest(index=0), c), False),
    (lambda s, c: s.GetConsistencyProof(pb.GetConsistencyProofRequest(first=1), c), False),
    (lambda s, c: s.GetCheckpoint(pb.GetCheckpointRequest(), c), True),
]


@pytest.mark.parametrize(("call", "operator_may"), CALLS)
@pytest.mark.parametrize("role", list(Role))
async def test_only_an_auditor_reads_and_an_operator_sees_checkpoints(
    servicer: AuditServicer,
    call: Callable[[AuditServicer, Caller], Awaitable[object]],
    operator_may: bool,
    role: Role,
) -> None:
    caller = Caller("somebody", "DST", frozenset({role}))
    if role is Role.AUDITOR or (operator_may and role is Role.OPERATOR):
        await call(servicer, caller)
        return
    with pytest.raises(Denied):
        await call(servicer, caller)


@pytest.mark.parametrize(
    "request_",
    [
        pb.ListEntriesRequest(page_size=1001),
        pb.ListEntriesRequest(actor="a\x00b"),
        pb.ListEntriesRequest(source="Platforms"),
        pb.GetEntryRequest(name="entries/01"),
        pb.GetEntryRequest(name="entries/" + "9" * 19),
        pb.GetInclusionProofRequest(),
        pb.GetInclusionProofRequest(index=-1),
        pb.GetInclusionProofRequest(journal_position=pb.JournalPosition(source="a")),
        pb.GetConsistencyProofRequest(),
        pb.GetCheckpointRequest(size=-1),
    ],
)
def test_the_contract_refuses_what_no_log_can_answer(request_: Any) -> None:
    with pytest.raises(protovalidate.ValidationError):
        protovalidate.validate(request_)
