"""kill -9 of every component under load; the callers' own journals are the oracle."""

import asyncio
import itertools
import random
import time
from pathlib import Path

from tests.flow.separate import ClientJournal
from tests.live.spread.load import Code, Load
from tests.live.spread.size import KILLS, WRITES, measured
from tests.live.spread.spread import Spread

SEED = 20_736
VICTIMS = (
    "platforms",  # the service, and with it the relay
    "broker",
    "audit",
    "backend of platforms",  # PostgreSQL ends all other backends too, and recovers
    "reports",
    "postgresql",
    "backend of audit",
    "platforms",
    "broker",
    "funding",
    "backend of reports",
)


async def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice_though_everything_is_killed(
    province: Spread, tmp_path: Path
) -> None:
    load = Load(
        [province["platforms"].address], ClientJournal(tmp_path / "client.jsonl"), pace=0.02
    )
    drawn, outages = random.Random(SEED), []
    async with load.running():
        await load.more(WRITES // KILLS)
        for victim in itertools.islice(itertools.cycle(VICTIMS), KILLS):
            began = time.monotonic()
            await asyncio.to_thread(province.kill, victim)
            await asyncio.sleep(drawn.uniform(0, 0.5))
            await asyncio.to_thread(province.revive, victim)
            await load.more(WRITES // KILLS)
            outages.append(time.monotonic() - began)
        while load.codes[Code.OK] < WRITES:
            await load.more(100)
    began = time.monotonic()
    await asyncio.to_thread(province.drained)
    drained = time.monotonic() - began
    found = await asyncio.to_thread(province.demand_all)
    load.demand(found["platforms"].lines)
    assert len(load.acknowledged) >= WRITES
    measured(
        "kills", kills=KILLS, acknowledged=len(load.acknowledged), refused=len(load.refused), lost=0, twice=0,
        unknown_answers=load.codes.total() - load.answered, repeats_on_the_topic=province.repeats("platforms"),
        drained_seconds=round(drained, 1), longest_round_seconds=round(max(outages), 1),
    )  # fmt: skip
