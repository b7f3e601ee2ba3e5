"""The clock of a review: working days with their exchanges, pauses, reminders, deputies, silence. Each thing happens once."""

import datetime
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from kernel.dates import ONE_DAY, to_date
from kernel.errors import Denied, Refused
from kernel.pack import Pack, Register
from kernel.procedure import DaysOff
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.clock import outdated
from services.coordination.silence import DEEMED
from tests.unit.coordination_world import (
    BEFORE_HOLIDAY,
    Reviewing,
    S,
    application,
    henan,
    with_rule,
)
from tests.unit.funding_world import refused

DUE = datetime.date(2026, 10, 13)
"""10 working days after 22 September 2026: the 25th to the 27th and the first week of October are off, 10 October is worked."""
AFTER = DUE + datetime.timedelta(1)
DEPUTY_DUE = datetime.date(2026, 10, 19)  # three more


def silent_review() -> Reviewing:
    there = Reviewing().open()
    there.opine("DRC")
    there.opine("DIIT")
    return there


def test_ten_working_days_go_around_the_holidays_and_count_the_exchanged_saturday() -> None:
    there = Reviewing().open()
    assert there.due_day("FINANCE") == DUE
    assert not there.opinion("FINANCE").due_provisional


def test_a_department_that_answers_is_reminded_no_more_and_escalated_never() -> None:
    there = Reviewing().open()
    for department in ("DRC", "DIIT", "FINANCE"):
        there.opine(department)
    there.pass_to(DEPUTY_DUE)
    assert not there.fired


def test_everything_that_is_due_of_a_silent_department_happens_once_and_on_its_day() -> None:
    there = silent_review().pass_to(DEPUTY_DUE + datetime.timedelta(30))
    assert there.fired == [
        (datetime.date(2026, 10, 9), "FINANCE/1/remind-0"),
        (datetime.date(2026, 10, 12), "FINANCE/1/remind-1"),
        (AFTER, "FINANCE/1/escalate"),
        (DEPUTY_DUE + datetime.timedelta(1), "FINANCE/1/silence"),
    ]
    assert max(Counter(key for _, key in there.fired).values()) == 1


def test_what_was_due_while_nobody_looked_happens_when_somebody_looks_again() -> None:
    there = silent_review()
    there.day = DEPUTY_DUE + datetime.timedelta(3)
    there.pass_to(there.day + datetime.timedelta(1))
    assert [key for _, key in there.fired] == [
        "FINANCE/1/remind-0",
        "FINANCE/1/remind-1",
        "FINANCE/1/escalate",
    ]
    assert (
        to_date(there.opinion("FINANCE").deputy_due_date) > there.day
    )  # the deputy has all its days


@pytest.mark.parametrize("key", ["FINANCE/1/escalate", "FINANCE/1/remind-0", "DRC/1/escalate"])
def test_nothing_happens_before_its_day_or_after_the_answer(key: str) -> None:
    there = silent_review()
    action = "remind" if "remind" in key else "escalate"
    with refused(Refused, "NOT_DUE"):
        there.do(action, key=key)


def test_past_the_last_day_the_named_deputy_answers_and_nobody_else() -> None:
    there = silent_review().pass_to(AFTER)
    with refused(Denied, "ESCALATED"):
        there.opine("FINANCE")
    with refused(Denied, "NOT_ASKED"):
        there.opine("DST", actor="finance-deputy")
    assert there.opine("FINANCE", actor="finance-deputy").state == S.STATE_CONCLUDED


def test_on_the_last_day_the_department_itself_still_answers() -> None:
    there = silent_review().pass_to(DUE)
    assert there.opine("FINANCE").state == S.STATE_CONCLUDED


def test_an_answer_after_the_last_day_does_not_count_even_before_the_escalation() -> None:
    there = silent_review()
    there.day = AFTER
    with refused(Refused, "PAST_DUE"):
        there.opine("FINANCE")
    there.day = DUE
    there.pass_to(AFTER)
    there.day = DEPUTY_DUE + datetime.timedelta(1)
    with refused(Refused, "PAST_DUE"):
        there.opine("FINANCE", actor="finance-deputy")


def test_silence_is_consent_where_the_pack_says_so() -> None:
    there = silent_review().pass_to(DEPUTY_DUE + datetime.timedelta(1))
    said = there.opinion("FINANCE")
    assert there.review.outcome == pb.OUTCOME_AGREED
    assert (said.verdict, said.deemed, said.text) == (pb.VERDICT_AGREE, True, DEEMED)


def test_where_silence_is_no_consent_the_review_ends_without_an_answer() -> None:
    there = Reviewing(pack=with_rule("default", deemed_consent=False)).open()
    there.opine("DRC")
    there.opine("DIIT")
    there.pass_to(DEPUTY_DUE + datetime.timedelta(1))
    assert there.review.state == S.STATE_CONCLUDED
    assert there.review.outcome == pb.OUTCOME_UNANSWERED
    assert not there.opinion("FINANCE").verdict


def test_a_department_without_a_deputy_has_its_silence_counted_at_once() -> None:
    pack = replace(henan(), deputies=Register(("deputy", "代行人"), []))
    there = Reviewing(pack=pack).open()
    there.opine("DRC")
    there.opine("DIIT")
    assert there.pass_to(AFTER).review.state == S.STATE_CONCLUDED


def test_no_day_of_a_pause_counts_and_nothing_is_due_in_it() -> None:
    there = silent_review()
    there.day = datetime.date(2026, 10, 9)
    there.do("pause", reason="补正")
    there.pass_to(datetime.date(2026, 10, 20))
    assert not there.fired
    there.change("resume", application(revision=9))
    # 9 October itself was not spent: of the 10 days those of the 23rd, 24th, 28th to 30th and 8th are.
    assert there.due_day("FINANCE") == datetime.date(2026, 10, 26)


def test_an_opinion_is_not_given_while_the_applicant_completes() -> None:
    there = silent_review()
    there.do("pause", reason="补正")
    with refused(Refused, "STATE_FORBIDS"):
        there.opine("FINANCE")


def test_days_counted_into_a_year_not_announced_are_provisional_and_recounted_when_it_is() -> None:
    there = Reviewing(day=datetime.date(2026, 12, 28)).open()
    said = there.opinion("FINANCE")
    assert said.due_provisional
    assert there.review.due_provisional
    assert there.due_day("FINANCE") == datetime.date(2027, 1, 11)  # weekends alone are known
    year = replace(
        henan().calendar.get("2027"),
        provisional=False,
        days_off=(
            DaysOff(
                zh="元旦",
                en="New Year",
                first=datetime.date(2027, 1, 1),
                last=datetime.date(2027, 1, 3),
            ),
        ),
    )
    years = [y if y.id != "2027" else year for y in henan().calendar]
    announced = replace(henan(), calendar=Register(("year", "年"), years))
    assert outdated(there.review, announced)
    there.pack = announced
    there.do("reschedule", key="2027")
    assert there.due_day("FINANCE") == datetime.date(2027, 1, 12)
    assert not there.opinion("FINANCE").due_provisional
    assert not outdated(there.review, announced)


def test_a_calendar_that_counts_the_same_changes_nothing() -> None:
    assert not outdated(Reviewing().open().review, henan())
    assert not outdated(silent_review().pass_to(AFTER).review, henan())


LAST = BEFORE_HOLIDAY
"""Last day of the old version of an entry; the new one holds from the day after."""


def versions(name: str, key: str, **more: Any) -> Pack:
    """Return the pack in which an entry has another version from the day after `LAST` on."""
    pack, first = henan(), LAST + datetime.timedelta(1)
    register: Any = getattr(pack, name)
    entry = register.get(key)
    changed = (replace(entry, valid_to=LAST), replace(entry, valid_from=first, **more))
    rest = [other for other in register if other.id != key]
    return replace(pack, **{name: Register((name, name), [*changed, *rest])})


def test_a_review_goes_by_the_rule_of_its_opening_day_to_its_end() -> None:
    pack = versions("review_rules", "default", due_working_days=1, deemed_consent=False)
    old = Reviewing(pack=pack, day=LAST).open()
    new = Reviewing(pack=pack, day=LAST + datetime.timedelta(1)).open()
    assert old.due_day("FINANCE") == DUE
    assert new.due_day("FINANCE") == datetime.date(2026, 9, 24)
    assert old.pass_to(datetime.date(2026, 11, 1)).review.outcome == pb.OUTCOME_AGREED
    assert new.pass_to(datetime.date(2026, 11, 1)).review.outcome == pb.OUTCOME_UNANSWERED


def test_a_departments_remit_is_that_of_the_day_on_which_it_is_asked() -> None:
    pack = versions("remits", "finance-application", fields=("budget", "start_date"))
    old = Reviewing(pack=pack, day=LAST).open()
    new = Reviewing(pack=pack, day=LAST + datetime.timedelta(1)).open()
    assert set(old.opinion("FINANCE").concerns) == {"requested_fen", "budget"}
    assert set(new.opinion("FINANCE").concerns) == {"start_date", "budget"}


def test_the_deputy_is_who_is_named_on_the_day_of_the_escalation() -> None:
    pack = versions("deputies", "finance-deputy", account="new-deputy")
    there = Reviewing(pack=pack, day=LAST).open().pass_to(AFTER)
    assert there.opinion("FINANCE").deputy == "new-deputy"


@pytest.mark.parametrize(
    ("day", "asked"), [(LAST, ("FINANCE", "DRC")), (LAST + ONE_DAY, ("FINANCE",))]
)
def test_a_rule_by_topic_asks_up_to_its_last_day(
    day: datetime.date, asked: tuple[str, ...]
) -> None:
    pack = versions("review_rules", "low-altitude-economy", topics=("其他",))
    assert pack.joint_review("major-science-special", day, "低空经济") == asked
