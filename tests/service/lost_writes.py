"""A process that dies around its commits."""

from collections.abc import Sequence
from typing import Any

import pytest

from kernel.errors import Unsettled
from kernel.room import Room
from kernel.timekeeper import Timekeeper
from kernel.writer import Work


def lose(monkeypatch: pytest.MonkeyPatch, rooms: Sequence[Room]) -> list[int]:
    """Of three writes of these rooms lose one before the commit, and one's answer after it. Return their count, as it grows."""
    write, calls = Room.write, [0]

    async def dying(room: Room, work: Work) -> Any:
        if room not in rooms:  # a server that other tests left at work
            return await write(room, work)
        calls[0] += 1
        if calls[0] % 3 == 1:
            raise Unsettled("before the commit", "提交前")
        outcome = await write(room, work)
        if calls[0] % 3 == 2:
            raise Unsettled("after the commit", "提交后")
        return outcome

    monkeypatch.setattr(Room, "write", dying)
    return calls


async def tried(keeper: Timekeeper) -> None:
    """Look once; what was lost is looked for again by the next."""
    try:
        await keeper.look()
    except Unsettled:
        return
