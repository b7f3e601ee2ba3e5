"""What reports keep of an event, and what its rows are called."""

import pytest
from google.type.date_pb2 import Date

from luoshu.funding.v1.funding_pb2 import Application, FundingEvent
from luoshu.journal.v1.journal_pb2 import Change, JournalEntry, Person
from luoshu.platforms.v1.platforms_pb2 import Platform, PlatformsEvent
from luoshu.technologies.v1.technologies_pb2 import Breakthrough, TechnologiesEvent
from services.coordination.domain import LIFECYCLE as REVIEWS
from services.funding.domain import APPLICATION
from services.platforms.domain import LIFECYCLE as PLATFORMS
from services.reports.facts import EVENTS, READERS, RECORDS, Fact, told
from services.reports.labels import ACTIONS, OWN_STATES, PREFIX, STATES
from services.reports.store import FACT
from services.technologies.domain import LIFECYCLE as BREAKTHROUGHS

DAY = Date(year=2026, month=11, day=3)


def change(record: str, action: str = "create") -> Change:
    return Change(
        position=7,
        record=record,
        revision=2,
        action=action,
        to_state="STATE_DRAFT",
        effective_date=Date(year=2025, month=1, day=2),
        business_date=DAY,
    )


def fact(source: str, event: object) -> Fact:
    content = event.SerializeToString()  # type: ignore[attr-defined]
    found = told(JournalEntry(source=source, position=7, event=content)).fact
    assert found is not None
    return found


def test_a_platform_is_kept_with_both_times() -> None:
    platform = Platform(name="platforms/a", title="甲", kind="key-laboratory", level=3)
    platform.recognition_date.CopyFrom(DAY)
    platform.successors.extend(["platforms/b", "platforms/c"])
    kept = fact("platforms", PlatformsEvent(change=change("platforms/a"), platform=platform))
    assert (kept.business_date, kept.effective_date) == ("2026-11-03", "2025-01-02")
    assert (kept.level, kept.recognized_date) == ("LEVEL_NATIONAL", "2026-11-03")
    assert kept.successors == "platforms/b platforms/c"


def test_completed_and_target_reached_are_two_facts() -> None:
    breakthrough = Breakthrough(name="breakthroughs/a", completed=True, target_reached=2)
    event = TechnologiesEvent(change=change("breakthroughs/a"), breakthrough=breakthrough)
    kept = fact("technologies", event)
    assert (kept.completed, kept.reached) == (1, "TARGET_NOT_REACHED")


def test_an_application_without_currency_is_in_yuan() -> None:
    application = Application(name="applications/a", requested_fen=3, paid_fen=1)
    kept = fact("funding", FundingEvent(change=change("applications/a"), application=application))
    assert (kept.currency, kept.requested, kept.paid) == ("CNY", 3, 1)


def test_an_imported_award_falls_under_the_programme_of_its_source() -> None:
    application = Application(name="applications/a", currency="USD")
    application.source_award.programme = "SBIR"
    kept = fact("funding", FundingEvent(change=change("applications/a"), application=application))
    assert (kept.programme, kept.currency) == ("SBIR", "USD")


def test_nothing_personal_is_kept() -> None:
    person = Person(name="pc1:secret", phone="pc1:secret", subject="subjects/secret")
    platform = Platform(name="platforms/a", title="甲", contact=person)
    kept = fact("platforms", PlatformsEvent(change=change("platforms/a"), platform=platform))
    assert "secret" not in repr(kept)


def test_a_tick_makes_no_fact() -> None:
    event = PlatformsEvent(change=change("clock", "tick")).SerializeToString()
    said = told(JournalEntry(source="platforms", position=7, event=event))
    assert said.fact is None
    assert said.business_date == "2026-11-03"


def test_a_source_that_is_not_followed_is_refused() -> None:
    with pytest.raises(KeyError):
        told(JournalEntry(source="weather", position=1))


def test_the_columns_of_a_fact_stand_in_the_order_of_the_table() -> None:
    assert list(Fact._fields) == FACT.c.keys()


def test_every_record_of_every_event_is_read() -> None:
    nouns = {
        field.message_type.name
        for event in EVENTS.values()
        for field in event.DESCRIPTOR.oneofs_by_name["record"].fields
    }
    assert nouns == {record.DESCRIPTOR.name for record in RECORDS.values()}
    assert set(READERS) == set(RECORDS)


@pytest.mark.parametrize("collection", RECORDS)
def test_every_state_has_a_chinese_name(collection: str) -> None:
    names = {name.removeprefix(PREFIX) for name, _ in RECORDS[collection].State.items()}
    own = {state for whose, state in OWN_STATES if whose == collection}
    assert names - {"UNSPECIFIED"} - own <= set(STATES)
    assert own <= names


@pytest.mark.parametrize("lifecycle", [PLATFORMS, BREAKTHROUGHS, APPLICATION, REVIEWS])
def test_every_action_has_a_chinese_name(lifecycle: object) -> None:
    assert set(lifecycle.actions) <= set(ACTIONS)  # type: ignore[attr-defined]
