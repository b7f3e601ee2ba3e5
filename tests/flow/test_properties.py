"""Any order of any actions by anybody: what holds of every life, decided in memory."""

import datetime
from typing import Any, ClassVar

import hypothesis.strategies as st
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernel.case import Caller, Reference, Role
from kernel.dates import from_date, to_date
from kernel.decide import Batch
from kernel.errors import Denied, DomainError, NotFound, Refused
from kernel.outcome import Held
from kernel.pack import Pack
from kernel.registry import Resource, Service
from kernel.rights import allowed, standing_of
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as platforms
from services.funding.store import FUNDING
from services.platforms.store import PLATFORMS
from tests.unit import funding_world, platforms_story
from tests.unit.fake_case import TODAY
from tests.unit.kernel_world import MORNING, Memory, batch, command, stamp

UNIT, OTHER_UNIT = "91110000710926094P", "914403001922038216"
DAY = datetime.timedelta(days=1)


class Life(RuleBasedStateMachine):
    """Records of one kind, whoever works on them, and the days that pass."""

    service: ClassVar[Service]
    resource: ClassVar[Resource]
    callers: ClassVar[tuple[Caller, ...]]
    pack: ClassVar[Pack]

    def __init__(self) -> None:
        super().__init__()
        self.time, self.names = MORNING, list[str]()
        self.batch: Batch = batch(self.service, self.pack)

    # What a kind of record adds.

    waiting: ClassVar[tuple[str, ...]] = ()

    def draft(self, data: st.DataObject) -> Any:
        raise NotImplementedError

    def path(self, given: Any) -> tuple[str, ...]:
        raise NotImplementedError

    def request(self, action: str, name: str, data: st.DataObject) -> Any:
        raise NotImplementedError

    # What happens.

    def begin(self, data: st.DataObject) -> None:
        """Create a record, and lead it some way along its usual path, so that every state is met."""
        given = self.draft(data)
        settled = self.batch.decide(command("create", self.name(), self.callers[0], given=given))
        self.names.append(settled.name)
        path = self.path(given)
        for action in path[: data.draw(st.integers(0, len(path)))]:
            if action in self.waiting:
                self.days_pass(8)
            able = [c for c in self.callers if action in self.allowed(c, settled.name)]
            if not able or self.tried(action, settled.name, able[0], data) is not None:
                break

    def name(self) -> str:
        return f"{self.resource.collection}/n{len(self.names)}"

    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        if len(self.names) < 4:
            self.begin(data)

    @rule(days=st.sampled_from([0, 1, 8, 100, 400]))
    def days_pass(self, days: int) -> None:
        self.time += days * DAY
        self.batch.now = stamp(self.time)
        self.batch.tick()
        self.batch.last = self.batch.now.ToMicroseconds()

    @precondition(lambda self: self.names)
    @rule(data=st.data())
    def an_allowed_action(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names))
        able = {action: c for c in self.callers for action in self.allowed(c, name)}
        if not able:
            return
        action, caller = data.draw(st.sampled_from(sorted(able.items(), key=lambda pair: pair[0])))
        wrong = self.tried(action, name, caller, data)
        if wrong is not None:  # for a reason of the domain: not the table's, and not for rights
            assert wrong.code not in {"STATE_FORBIDS", *RIGHTS}, f"{action}: {wrong}"
            assert not isinstance(wrong, NotFound) or name not in wrong.en.split(), wrong

    @precondition(lambda self: self.names)
    @rule(data=st.data())
    def any_action(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names))
        action = data.draw(st.sampled_from(sorted(self.resource.lifecycle.actions)))
        caller = data.draw(st.sampled_from(self.callers))
        if action in self.allowed(caller, name):
            return
        wrong = self.tried(action, name, caller, data)
        assert isinstance(wrong, Refused | Denied | NotFound), f"{action} was not refused: {wrong}"
        assert wrong.code in {"STATE_FORBIDS", "NOT_FOUND", *RIGHTS}

    def allowed(self, caller: Caller, name: str) -> list[str]:
        lifecycle = self.resource.lifecycle
        return list(allowed(caller, lifecycle, standing_of(self.held(name).message, lifecycle)))

    def held(self, name: str) -> Held:
        held = self.batch.held(name)
        assert held is not None
        return held

    def tried(
        self, action: str, name: str, caller: Caller, data: st.DataObject
    ) -> DomainError | None:
        """Do it; a refusal, which must leave nothing behind, is returned."""
        before, held = len(self.batch.journal), self.held(name)
        body = held.message.SerializeToString(deterministic=True)
        request, given = self.request(action, name, data), self.draft(data)
        try:
            settled = self.batch.decide(command(action, name, caller, request=request, given=given))
        except DomainError as wrong:
            assert len(self.batch.journal) == before, "a refused action left an event"
            assert self.held(name) == held
            assert held.message.SerializeToString(deterministic=True) == body
            return wrong
        assert settled.revision == held.revisions + 1
        assert len(self.batch.journal) > before
        return None

    # What always holds.

    @invariant()
    def positions_are_dense(self) -> None:
        positions = [row.position for row in self.batch.journal]
        assert positions == list(range(1, len(positions) + 1))
        assert self.batch.position == len(positions)

    @invariant()
    def revisions_are_dense_and_states_follow_the_table(self) -> None:
        last: dict[str, tuple[int, str, str]] = {}
        for row in self.batch.journal:
            change = self.service.event.FromString(row.event).change
            revision, state, true_from = last.get(row.record, (0, change.from_state, ""))
            assert (change.revision, change.from_state) == (revision + 1, state)
            assert row.effective_date >= true_from
            last[row.record] = (change.revision, change.to_state, row.effective_date)

    @invariant()
    def a_request_id_is_used_once(self) -> None:
        ids = [row.request_id for row in self.batch.journal]
        assert len(ids) == len(set(ids))

    @invariant()
    def no_event_holds_a_personal_value(self) -> None:
        assert all("欧阳".encode() not in row.event for row in self.batch.journal)


RIGHTS = {"PERMISSION_DENIED", "ROLE_MISSING", "NOT_THE_DEPARTMENT", "FOUR_EYES"}


def postponed(message: Any, days: datetime.timedelta) -> Any:
    """Move every date of a request by so many days."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Date):
                day = to_date(each)
                each.CopyFrom(from_date(day + days)) if day else None
            else:
                postponed(each, days)
    return message


BUILT = ("start_construction", "pass_acceptance", "evaluate")
NURTURED = (
    "submit", "accept", "record_expert_review", "open_joint_review", "conclude_joint_review",
    "publish_notice", "nurture",
)  # fmt: skip
PATHS = {
    "lab": (*platforms_story.TO_NOTICE, "recognize", *BUILT),
    "equipped": (*platforms_story.TO_REVIEW, "publish_notice", "recognize", "start_operation"),
    "new-institute": ("submit", "accept", "put_on_file", "start_operation"),
    "base": ("submit", "accept", "record_expert_review", "publish_notice", "approve", *BUILT),
    "centre": (*NURTURED, "record_expert_review", "publish_notice", "recognize", *BUILT),
}
"""The usual path of each kind of the small pack."""


class PlatformLife(Life):
    service, resource = PLATFORMS, PLATFORMS.resources[0]
    pack = platforms_story.PACK
    callers = (
        Caller("wang", UNIT, frozenset({Role.APPLICANT})),
        Caller("he", "410100", frozenset({Role.RECOMMENDER})),
        Caller("li", "DST", frozenset({Role.CASE_OFFICER, Role.EXPERT_REVIEWER})),
        Caller("zhao", "DST", frozenset({Role.APPROVER})),
        Caller("chen", "DRC", frozenset({Role.CASE_OFFICER, Role.APPROVER})),
        Caller("luoshu", "SYSTEM", frozenset({Role.SYSTEM})),
        Caller("ma", OTHER_UNIT, frozenset({Role.APPLICANT})),
    )

    waiting = platforms_story.ENDINGS

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.begin(data)

    def path(self, given: Any) -> tuple[str, ...]:
        return PATHS[given.kind]

    def draft(self, data: st.DataObject) -> Any:
        kind = data.draw(st.sampled_from([kind.id for kind in platforms_story.KINDS]))
        record = platforms_story.platform(kind=kind, equipment_fen=800_000_000)
        record.contact.CopyFrom(Person(name="欧阳", phone="1"))
        record.ClearField("name")
        return record

    def request(self, action: str, name: str, data: st.DataObject) -> Any:
        if action == "update":
            return platforms.UpdatePlatformRequest(
                update_mask=FieldMask(paths=["title", "contact"])
            )
        request = postponed(platforms_story.request(action), self.batch.today - TODAY)
        request.name = name
        others = [*self.names, "platforms/none"]
        if action == "merge":
            request.into = data.draw(st.sampled_from(others))
        if action == "split":
            request.successors[:] = data.draw(st.lists(st.sampled_from(others), max_size=3))
        if action == "evaluate":
            request.round = self.batch.today.year
            request.grade = data.draw(st.sampled_from([g.id for g in platforms_story.GRADES]))
        if action in ("record_expert_review", "record_site_visit"):
            request.passed = data.draw(st.sampled_from([True, True, True, False]))
        return request


class ApplicationLife(Life):
    service, resource = FUNDING, FUNDING.resources[2]
    pack = funding_world.small_pack()
    callers = (
        *(c for role, c in funding_world.CALLERS.items() if role != Role.SYSTEM),
        Caller("luoshu", "SYSTEM", frozenset({Role.SYSTEM})),
        Caller("ma", OTHER_UNIT, frozenset({Role.APPLICANT})),
        Caller("chen", "DRC", frozenset({Role.CASE_OFFICER, Role.APPROVER})),
    )
    waiting = ("approve",)

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        known = {n: Reference(n, "STATE_OPERATING", "名") for n in (funding_world.PLATFORM,)}
        self.batch.loader = Memory(references=known, service=self.service)
        for record in (funding_world.programme(), funding_world.call()):
            self.batch.records[record.name] = Held(record, 0, 0, "activate")
        self.begin(data)

    def path(self, given: Any) -> tuple[str, ...]:
        return funding_world.PATH

    def draft(self, data: st.DataObject) -> Any:
        fen = data.draw(st.sampled_from([1, funding_world.FEN, 600_000_000]))
        record = funding_world.application(fen=fen)
        number = data.draw(st.sampled_from(["1", "2", "3", "4"]))
        person = Person(name="欧阳", identity_number=number)
        record.principal_investigator.CopyFrom(person)
        record.ClearField("name")
        return record

    def request(self, action: str, name: str, data: st.DataObject) -> Any:
        if action == "update":
            paths = ["title", "principal_investigator"]
            return funding.UpdateApplicationRequest(update_mask=FieldMask(paths=paths))
        request = postponed(funding_world.request("Application", action), self.batch.today - TODAY)
        request.name = name
        record = self.held(name).message
        if action == "approve":
            request.approved_fen = record.requested_fen
        if action == "sign_contract":
            del request.instalments[:]
            half = record.approved_fen // 2
            request.instalments.add(number=1, amount_fen=half)
            request.instalments.add(number=2, amount_fen=record.approved_fen - half)
        if action == "pay_instalment":
            request.number = data.draw(st.sampled_from([1, 2]))
            request.voucher = f"V-{self.batch.position}"
            owed = [i.amount_fen - i.paid_fen for i in record.instalments if i.number == request.number]  # fmt: skip
            request.amount_fen = data.draw(st.sampled_from([1, sum(owed), sum(owed) + 1]))
        if action == "recover":
            request.amount_fen = data.draw(st.sampled_from([1, record.paid_fen, record.paid_fen + 1]))  # fmt: skip
        return request

    @invariant()
    def money_stays_under_its_ceiling_and_adds_up(self) -> None:
        held = self.batch.held(funding_world.PROGRAMME_NAME)
        assert held is not None
        ceilings = {c.year: c.ceiling_fen for c in held.message.ceilings}
        records = [self.held(name).message for name in self.names]
        for owed in held.message.commitments:
            assert owed.paid_fen <= owed.committed_fen <= ceilings[owed.year]
        assert sum(r.committed_fen for r in records) == sum(
            c.committed_fen for c in held.message.commitments
        )
        assert sum(r.paid_fen for r in records) == sum(c.paid_fen for c in held.message.commitments)
        for record in records:
            assert record.recovered_fen <= record.paid_fen <= record.approved_fen


STEPS = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TestPlatformLife = PlatformLife.TestCase
TestPlatformLife.settings = STEPS
TestApplicationLife = ApplicationLife.TestCase
TestApplicationLife.settings = STEPS
