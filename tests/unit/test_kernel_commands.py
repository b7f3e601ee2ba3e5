"""What is made up for a caller: names and request ids."""

import os
import re

import pytest
from google.type.date_pb2 import Date

from kernel.case import Caller
from kernel.commands import DRAWN, Commands, _made_up, new_id
from kernel.errors import Invalid
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.store import PLATFORMS

NO_DAY = Date(year=2026, month=2, day=30)


def test_what_is_made_up_never_comes_twice_however_much_is_drawn() -> None:
    names = [new_id() for _ in range(3 * DRAWN)]
    requests = [_made_up() for _ in range(3 * DRAWN)]
    assert len({*names, *requests}) == 6 * DRAWN
    assert all(re.fullmatch("r[0-9a-f]{24}", name) for name in names)
    assert all(re.fullmatch("auto~r[0-9a-f]{24}", request) for request in requests)


def test_a_process_that_branches_off_draws_for_itself() -> None:
    _made_up()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, _made_up().encode())
        os._exit(0)
    os.close(writing)  # else a child that dies leaves the reader waiting
    drawn = os.read(reading, 64).decode()
    os.close(reading)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert re.fullmatch("auto~r[0-9a-f]{24}", drawn)
    assert drawn != _made_up()


def test_an_effective_date_that_is_no_day_is_named() -> None:
    commands, who = Commands(b"secret"), Caller("wang", "DST", frozenset())
    platforms = PLATFORMS.by_collection["platforms"]
    row = pb.ImportPlatformsRequest.Row(line=1, key="a", effective_date=NO_DAY)
    for attempt in (
        lambda: commands.act("submit", pb.SubmitPlatformRequest(effective_date=NO_DAY), who),
        lambda: commands.row(platforms, "old", row, who, dry=False),
    ):
        with pytest.raises(Invalid, match="no such day") as wrong:
            attempt()
        assert (wrong.value.field, wrong.value.code) == ("effective_date", "DATE_INVALID")
