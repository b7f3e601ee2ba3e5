"""Two processes of one service on one database: nothing happens twice."""

import asyncio
import time
from pathlib import Path

from tests.flow.separate import ClientJournal, Separate, until
from tests.live import engines
from tests.live.spread.load import Load
from tests.live.spread.size import WRITES, measured
from tests.live.spread.spread import Spread
from tests.live.spread.topic import positions, sequences_by_kcat

COUNT = WRITES // 10


async def test_two_writers_two_relays_and_two_consumers_have_each_effect_once(
    province: Spread, tmp_path: Path
) -> None:
    before = province.repeats("platforms")
    with (
        province.second("platforms") as other,
        province.second("audit"),
        province.second("reports"),
        province.second("funding"),
    ):
        addresses = [province["platforms"].address, other.address]
        load = Load(addresses, ClientJournal(tmp_path / "client.jsonl"), pace=0.02, name="twice")
        async with load.running():
            await load.more(COUNT)
        await asyncio.to_thread(province.drained)
    found = await asyncio.to_thread(province.demand_all)
    load.demand(found["platforms"].lines)
    measured(
        "twice at once",
        acknowledged=len(load.acknowledged),
        repeats=province.repeats("platforms") - before,
    )


async def test_the_second_relay_goes_on_when_the_first_is_killed(
    province: Spread, tmp_path: Path
) -> None:
    with province.second("platforms") as other:
        load = Load(
            [other.address], ClientJournal(tmp_path / "client.jsonl"), pace=0.02, name="heir"
        )
        async with load.running():
            await load.more(20)
            await asyncio.to_thread(province.kill, "platforms")
            began = time.monotonic()
            await load.more(100)
        await asyncio.to_thread(
            until, lambda: backlog(other) == 0 and relayed(province), "it to be relayed"
        )
        taken = time.monotonic() - began
        await asyncio.to_thread(province.revive, "platforms")
    await asyncio.to_thread(province.drained)
    found = await asyncio.to_thread(province.demand_all)
    load.demand(found["platforms"].lines)
    measured("second relay", takes_over_seconds=round(taken, 1))


def backlog(process: Separate) -> float:
    return process.metrics().get('luoshu_relay_backlog_events{source="platforms"}', -1)


def relayed(province: Spread) -> bool:
    return province.cursor("platforms", "platforms") == province.head("platforms")


def test_kcat_sees_dense_sequences(province: Spread) -> None:
    with engines.demanded():
        seen = sequences_by_kcat(province.node.address, "platforms")
    assert seen == positions(province.node.address, "platforms")
    assert sorted(set(seen)) == list(range(1, province.head("platforms") + 1))
