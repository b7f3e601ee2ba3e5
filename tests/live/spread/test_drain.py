"""A service that is told to stop answers what is under way, and leaves."""

import asyncio
import time
from pathlib import Path

from tests.flow.separate import ClientJournal
from tests.live.spread.load import UNKNOWN, Code, Load
from tests.live.spread.size import STOPS, measured
from tests.live.spread.spread import Spread


async def test_a_service_that_is_stopped_under_load_loses_nothing_and_leaves_nothing_unsaid(
    province: Spread, tmp_path: Path
) -> None:
    load = Load(
        [province["platforms"].address], ClientJournal(tmp_path / "client.jsonl"), 16, name="drain"
    )
    seconds = []
    async with load.running():
        for _ in range(STOPS):
            await load.more(200)
            began = time.monotonic()
            assert await asyncio.to_thread(province["platforms"].stop) == 0
            seconds.append(time.monotonic() - began)
            await asyncio.to_thread(province["platforms"].start)
    assert set(load.codes) - UNKNOWN == {Code.OK, Code.INVALID_ARGUMENT}, load.codes
    await asyncio.to_thread(province.drained)
    found = await asyncio.to_thread(province.demand_all)
    load.demand(found["platforms"].lines)
    measured(
        "drain",
        stops=STOPS,
        acknowledged=len(load.acknowledged),
        lost=0,
        longest_seconds=round(max(seconds), 1),
    )
