"""A platform's public notice is over by itself, on the day after its last one, and once."""

import datetime

import pytest

from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import Refused
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.domain import LIFECYCLE
from services.platforms.timing import deadlines, outdated
from tests.unit.coordination_world import henan
from tests.unit.fake_case import FakeCase, acted

S = pb.Platform.State
LAST = datetime.date(2026, 10, 9)
"""Five working days after 24 September 2026, around the Mid-autumn Festival and National Day."""


def noticed(last: datetime.date = LAST, *, working: bool = True) -> pb.Platform:
    notice = pb.PublicNotice(
        start_date=from_date(datetime.date(2026, 9, 24)),
        end_date=from_date(last),
        days=5,
        working_days=working,
    )
    return pb.Platform(state=S.STATE_IN_PUBLIC_NOTICE, public_notice=notice)


def closed(on: datetime.date, platform: pb.Platform) -> pb.Platform:
    request = pb.CloseNoticePlatformRequest(key=f"notice/{LAST}")
    done: pb.Platform = acted(LIFECYCLE, platform, "close_notice", request, FakeCase(today=on))
    return done


def test_it_is_over_on_the_day_after_its_last_one() -> None:
    (due,) = deadlines(noticed())
    assert (due.day, due.action) == (LAST + ONE_DAY, "close_notice")
    done = closed(LAST + ONE_DAY, noticed())
    assert to_date(done.public_notice.close_date) == LAST + ONE_DAY
    assert done.state == S.STATE_IN_PUBLIC_NOTICE


@pytest.mark.parametrize("late", [False, True])
def test_it_is_not_over_before_and_not_a_second_time(late: bool) -> None:
    platform = closed(LAST + ONE_DAY, noticed()) if late else noticed()
    with pytest.raises(Refused, match="it happens by itself"):
        closed(LAST + ONE_DAY if late else LAST, platform)
    assert bool(deadlines(platform)) is not late


def test_a_notice_in_working_days_follows_the_calendar_and_one_in_days_does_not() -> None:
    early = noticed(LAST - ONE_DAY)
    assert outdated(early, henan())
    request = pb.ReschedulePlatformRequest(key="any")
    moved = acted(LIFECYCLE, early, "reschedule", request, FakeCase(today=LAST, pack=henan()))
    assert to_date(moved.public_notice.end_date) == LAST
    assert not outdated(moved, henan())
    assert not outdated(noticed(datetime.date(2026, 9, 29), working=False), henan())
