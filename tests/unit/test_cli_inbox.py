"""The inbox on paper and as a calendar: what is owed first comes first, and Chinese is folded whole."""

import asyncio
import datetime
import re
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from app.cli.ical import MOST_OCTETS, calendar_of, escaped, fold
from app.cli.inbox import cells
from kernel.case import Caller
from kernel.dates import to_date
from kernel.errors import Denied
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.inbox import days_left, items_of, soonest
from services.coordination.servicer import Inbox
from tests.unit.coordination_world import BEFORE_HOLIDAY, Reviewing, henan, officer
from tests.unit.funding_world import refused

LONG = "超大直径盾构机智能掘进系统关键技术研究与产业化应用示范及其在黄河流域生态保护中的推广"


def owed(there: Reviewing, department: str) -> list[pb.InboxItem]:
    return sorted(items_of(there.review, department, there.day, there.pack), key=soonest)


def item(**more: object) -> pb.InboxItem:
    (found,) = owed(Reviewing().open(), "DRC")
    found.update_time.CopyFrom(Timestamp(seconds=1_790_000_000))
    for name, value in more.items():
        setattr(found, name, value)
    return found


def test_an_opinion_is_owed_with_the_working_days_that_are_left() -> None:
    (found,) = owed(Reviewing().open(), "DRC")
    assert to_date(found.due_date) == datetime.date(2026, 10, 13)
    assert found.days_left == 10
    assert not owed(Reviewing().open(), "DST")


def test_nothing_is_owed_after_the_answer_and_a_condition_is_until_it_is_met() -> None:
    there = Reviewing().open()
    there.opine("DRC", "AGREE_WITH_CONDITIONS", conditions=["分期建设"])
    (found,) = owed(there, "DRC")
    assert (found.duty, found.condition, found.text) == (pb.InboxItem.DUTY_CONDITION, 1, "分期建设")


@pytest.mark.parametrize(
    ("last", "left"),
    [
        (BEFORE_HOLIDAY, 0),
        (datetime.date(2026, 9, 28), 3),  # the festival's three days do not count
        (datetime.date(2026, 9, 21), -1),
        (datetime.date(2026, 9, 18), -3),  # Sunday the 20th was worked
    ],
)
def test_days_left_are_working_days_and_below_zero_when_it_is_over(
    last: datetime.date, left: int
) -> None:
    assert days_left(BEFORE_HOLIDAY, last, henan()) == left


def test_while_the_clock_stands_no_day_is_told_and_it_comes_last() -> None:
    there = Reviewing().open()
    there.do("pause", reason="补正")
    (found,) = owed(there, "DRC")
    assert found.paused
    assert cells(found)[:2] == ("", "paused 暂停")
    assert soonest(item()) < soonest(found)


def test_the_table_tells_in_both_languages_what_is_owed_and_who_answers_now() -> None:
    there = Reviewing().open().pass_to(datetime.date(2026, 10, 14))
    (found,) = owed(there, "FINANCE")
    row = cells(found)
    assert row[0] == "2026-10-19"
    assert row[1] == "3 天"
    assert "出具意见（会签）" in row[2]
    assert "已升级至 finance-deputy" in row[4]
    assert "已催办 2×" in row[4]


def test_every_line_of_the_calendar_has_75_octets_at_most_and_unfolds_to_what_was_said() -> None:
    text = calendar_of([item(title=LONG)])
    lines = text.split("\r\n")
    assert lines[-1] == ""
    assert all(len(line.encode()) <= MOST_OCTETS for line in lines)
    assert "\n" not in text.replace("\r\n", "")
    unfolded = re.sub("\r\n[ \t]", "", text)
    assert f"SUMMARY:DRC 出具意见截止：{LONG}\r\n" in unfolded


@pytest.mark.parametrize("length", range(20, 30))
def test_folding_tears_no_character(length: int) -> None:
    line = "SUMMARY:" + "签" * length + "𠮷" * 3
    pieces = fold(line).split("\r\n")
    assert "".join([pieces[0], *(piece[1:] for piece in pieces[1:])]) == line
    assert all(len(piece.encode()) <= MOST_OCTETS for piece in pieces)


def test_the_calendar_has_an_all_day_entry_that_ends_before_the_next_day() -> None:
    text = calendar_of([item()])
    assert "DTSTART;VALUE=DATE:20261013\r\nDTEND;VALUE=DATE:20261014\r\n" in text
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 1
    assert re.search(r"UID:reviews-r[0-9a-f]{20}-DRC-0@luoshu\r\n", text)


def test_two_departments_of_one_review_are_two_entries() -> None:
    there = Reviewing().open()
    found = [*owed(there, "DRC"), *owed(there, "FINANCE")]
    assert len(set(re.findall(r"UID:\S+", re.sub("\r\n ", "", calendar_of(found))))) == 2


def test_commas_semicolons_backslashes_and_line_ends_are_escaped() -> None:
    assert escaped("a,b;c\\d\r\ne\x07") == "a\\,b\\;c\\\\d\\ne"


def test_what_has_no_day_is_in_no_calendar() -> None:
    condition = pb.InboxItem(duty=pb.InboxItem.DUTY_CONDITION, condition=1)
    assert "VEVENT" not in calendar_of([condition])


@pytest.mark.parametrize("call", ["ListInbox", "WatchInbox"])
@pytest.mark.parametrize("who", [officer("DST"), Caller("nobody", "", frozenset())])
def test_an_inbox_is_its_own_departments_to_read_and_nobody_elses(call: str, who: Caller) -> None:
    request = getattr(pb, f"{call}Request")(department="DRC")
    with refused(Denied, "NOT_THE_DEPARTMENT"):
        asyncio.run(_first(getattr(Inbox(None), call)(request, who)))  # type: ignore[arg-type]


async def _first(answer: Any) -> Any:
    return await (anext(answer) if hasattr(answer, "__anext__") else answer)
