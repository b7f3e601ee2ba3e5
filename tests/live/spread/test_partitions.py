"""Links that break, delay and reset: nothing has its effect twice, and no call is without an end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.province import Funding, today
from tests.flow.separate import ClientJournal
from tests.live.spread.load import Code, Drafts, Load
from tests.live.spread.partitioned import (
    CALLERS,
    CONSUMER,
    CONSUMER_DATABASE,
    LINKS,
    OWNER,
    RELAY,
    Partitioned,
    partitioned,
)
from tests.live.spread.size import TOXICS, measured

SPOILED = 4.0  # seconds of each toxic: longer than a call may take
DEADLINE = 2.0
LATE = 1.0  # seconds after its deadline by which a call has ended


@pytest.fixture(scope="module")
def apart() -> Iterator[Partitioned]:
    with partitioned() as province:
        yield province


@pytest.fixture(scope="module")
def applying(apart: Partitioned) -> Funding:
    return Funding(apart["funding"].call, today()).furnish()


def load_on(apart: Partitioned, applying: Funding, link: str, folder: Path) -> tuple[str, Load]:
    """Return who is asked, and what goes through the link."""
    journal, pace = ClientJournal(folder / "client.jsonl"), 0.05
    if link == OWNER:
        addresses, owner = [apart["funding"].address], apart["platforms"].address
        return "funding", Drafts(
            addresses, journal, 4, pace, link, DEADLINE, owner=owner, applying=applying
        )
    address = apart.links[link].address if link == CALLERS else apart["platforms"].address
    return "platforms", Load([address], journal, 4, pace, link, DEADLINE)


def suffers(apart: Partitioned, link: str, load: Load) -> bool:
    """Tell whether somebody missed a link that was down; seen at the far side of it."""
    if link == RELAY:
        return apart.backlog("platforms") > 0
    if link in (CONSUMER, CONSUMER_DATABASE):
        return not apart.caught_up("audit", "platforms")
    return load.codes[Code.UNAVAILABLE] > 0


@pytest.mark.parametrize("link", LINKS)
async def test_whatever_a_link_does_nothing_is_done_twice_and_every_call_ends(
    apart: Partitioned, applying: Funding, link: str, tmp_path: Path
) -> None:
    service, load = load_on(apart, applying, link, tmp_path)
    async with load.running():
        for toxic in TOXICS:
            await load.more(10)
            with apart.links[link].spoiled(toxic):
                await asyncio.sleep(SPOILED)
                if toxic.kind == "down":
                    assert suffers(apart, link, load), "it takes another way"
        await load.more(10)
    await asyncio.to_thread(apart.drained)
    found = await asyncio.to_thread(apart.demand_all)
    load.demand(found[service].lines)
    assert load.longest <= DEADLINE + LATE
    measured(
        "partitions", link=link, toxics=len(TOXICS), acknowledged=len(load.acknowledged), twice=0,
        unknown_answers=load.codes.total() - load.answered, late=load.codes[Code.DEADLINE_EXCEEDED],
        longest_call_seconds=round(load.longest, 1),
    )  # fmt: skip
