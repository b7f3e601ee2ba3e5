"""The broker is away: every write is accepted, the backlog is to be seen, and it drains by itself."""

import asyncio
import time
from pathlib import Path

from tests.flow.separate import ClientJournal
from tests.live.spread.load import Code, Load
from tests.live.spread.size import AWAY, measured
from tests.live.spread.spread import Spread

WARM_UP = 3.0  # seconds in which the capacity is measured


async def capacity(province: Spread, folder: Path) -> float:
    """Return how many calls a second eight callers get answered who do not pause."""
    load = Load(
        [province["platforms"].address], ClientJournal(folder / "capacity.jsonl"), name="full"
    )
    async with load.running():
        await load.more(50)
        before, began = load.answered, time.monotonic()
        await asyncio.sleep(WARM_UP)
        return (load.answered - before) / (time.monotonic() - began)


async def test_while_the_broker_is_away_every_write_is_accepted_and_afterwards_all_is_relayed(
    province: Spread, tmp_path: Path
) -> None:
    full = await capacity(province, tmp_path)
    await asyncio.to_thread(province.drained)
    callers = 8
    pace = callers / (full / 2)
    load = Load(
        [province["platforms"].address],
        ClientJournal(tmp_path / "client.jsonl"),
        callers,
        pace,
        "away",
    )
    async with load.running():
        await load.more(50)
        await asyncio.to_thread(province.kill, "broker")
        before, began = load.answered, time.monotonic()
        await asyncio.sleep(AWAY)
        written, highest = load.answered - before, province.backlog("platforms")
        rate = written / (time.monotonic() - began)
        await asyncio.to_thread(province.revive, "broker")
        back = time.monotonic()
    await asyncio.to_thread(province.drained)
    drained = time.monotonic() - back
    assert set(load.codes) == {Code.OK, Code.INVALID_ARGUMENT}, load.codes
    assert highest >= written / 2
    assert drained <= AWAY, "it drained more slowly than it had built up"
    found = await asyncio.to_thread(province.demand_all)
    load.demand(found["platforms"].lines)
    measured(
        "broker away", seconds=AWAY, capacity_per_second=round(full), load_per_second=round(rate),
        written_meanwhile=written, refused_for_it=0, highest_backlog=highest, drained_seconds=round(drained, 1),
    )  # fmt: skip


async def test_a_service_stops_and_starts_while_the_broker_is_away(
    province: Spread, tmp_path: Path
) -> None:
    await asyncio.to_thread(province.kill, "broker")
    load = Load(
        [province["platforms"].address], ClientJournal(tmp_path / "client.jsonl"), name="none"
    )
    async with load.running():
        await load.more(30)
        began = time.monotonic()
        assert await asyncio.to_thread(province["platforms"].stop) == 0
        stopped = time.monotonic() - began
        await asyncio.to_thread(province["platforms"].start)
        await load.more(30)
    await asyncio.to_thread(province.revive, "broker")
    await asyncio.to_thread(province.drained)
    found = await asyncio.to_thread(province.demand_all)
    load.demand(found["platforms"].lines)
    measured("stop while the broker is away", seconds=round(stopped, 1))
    assert stopped < 20
