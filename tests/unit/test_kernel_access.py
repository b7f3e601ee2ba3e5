"""The access journal's own rules, in memory: each act an event, a flood of denials one a minute, nothing lost in between."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kernel.access import MINUTE, Access, Book, Flood, Kind, access_source, service_of
from kernel.case import Caller, Role
from luoshu.journal.v1.journal_pb2 import AccessEvent
from tests.unit.kernel_world import MORNING, stamp

NOSY = Caller("nosy", "DST", frozenset({Role.CASE_OFFICER, Role.APPROVER}), "00-ab-cd-01")
START = stamp(MORNING).ToMicroseconds()


def denied(actor: str = "nosy", **more: Any) -> Access:
    return Access(
        Kind.DENIED, Caller(actor, "DST", NOSY.roles), "approve", "platforms/x", "FOUR_EYES", **more
    )


class Journal:
    """Books one after another, as transactions write them; `floods`: what the table holds."""

    def __init__(self) -> None:
        self.events: list[AccessEvent] = []
        self.floods: dict[str, Flood] = {}

    def write(self, at: int, *said: Access, sweep: bool = False) -> None:
        now = stamp()
        now.FromMicroseconds(START + at)
        book = Book(len(self.events), now, dict(self.floods))
        book.tell(said)
        if sweep:
            book.sweep()
        self.events += [AccessEvent.FromString(line.event) for line in book.lines]
        self.floods = {actor: flood for actor, flood in book.floods.items() if flood}

    def counts(self) -> list[int]:
        return [event.access.count for event in self.events]


def test_an_event_says_who_what_when_why_and_under_which_rights() -> None:
    journal = Journal()
    said = Access(
        Kind.EXPORTED, NOSY, "ReadJournal", "journals/x", "", "q1", b"m" * 16, "审计", {"a": "b"}
    )
    journal.write(0, said)
    (event,) = journal.events
    change, access = event.change, event.access
    assert (change.position, change.record, change.action) == (1, "journals/x", "exported")
    assert (change.actor, change.department) == ("nosy", "DST")
    assert list(change.roles) == ["approver", "case_officer"]
    assert (change.request_id, change.reason) == ("q1", "审计")
    assert (change.traceparent, change.commit_time) == ("00-ab-cd-01", stamp())
    assert (change.business_date.month, change.business_date.day) == (3, 16)
    assert (access.attempted, access.request_hash, access.count) == ("ReadJournal", b"m" * 16, 1)
    assert dict(access.details) == {"a": "b"}


def test_the_first_denial_is_told_at_once_and_the_rest_of_its_minute_as_one_event() -> None:
    journal = Journal()
    for second in range(50):
        journal.write(second * 1_000_000, denied())
    assert journal.counts() == [1]
    journal.write(MINUTE, sweep=True)
    assert journal.counts() == [1, 49]
    last = journal.events[-1]
    assert last.access.first_time.ToMicroseconds() == START + 1_000_000
    assert (last.access.code, last.change.position) == ("FOUR_EYES", 2)


def test_a_flood_that_goes_on_is_one_event_a_minute() -> None:
    journal = Journal()
    for tick in range(600):  # ten minutes, one denial a second
        journal.write(tick * 1_000_000, denied(), sweep=tick % 30 == 0)
    assert len(journal.events) <= 11
    journal.write(600_000_000 + MINUTE, sweep=True)
    assert sum(journal.counts()) == 600


def test_each_account_has_a_flood_of_its_own() -> None:
    journal = Journal()
    journal.write(0, denied("a"), denied("b"), denied("a"), denied("b"))
    assert [event.change.actor for event in journal.events] == ["a", "b"]
    assert {flood.counted for flood in journal.floods.values()} == {1}


def test_what_is_no_denial_is_never_counted_together() -> None:
    journal = Journal()
    read = Access(Kind.READ_PROTECTED, NOSY, "GetPlatform", "platforms/x")
    journal.write(0, *[read] * 20)
    assert journal.counts() == [1] * 20
    assert not journal.floods


def test_a_quiet_minute_ends_a_flood_and_leaves_nothing_behind() -> None:
    journal = Journal()
    journal.write(0, denied())
    journal.write(MINUTE, sweep=True)
    assert journal.floods == {}
    assert journal.counts() == [1]


STEPS = st.lists(
    st.tuples(st.integers(0, 90_000_000), st.sampled_from("ab"), st.booleans()), max_size=60
)


@given(STEPS)
def test_no_denial_is_lost_and_none_counted_twice(steps: list[tuple[int, str, bool]]) -> None:
    journal, at = Journal(), 0
    for pause, actor, sweep in steps:
        at += pause
        journal.write(at, denied(actor), sweep=sweep)
    for n in (1, 2):
        journal.write(at + n * MINUTE, sweep=True)
    assert sum(journal.counts()) == len(steps)
    assert journal.floods == {}
    assert [e.change.position for e in journal.events] == list(range(1, len(journal.events) + 1))


def test_a_service_and_its_access_journal_are_two_sources() -> None:
    assert access_source("platforms") == "platforms_access"
    assert service_of("platforms_access") == service_of("platforms") == "platforms"
