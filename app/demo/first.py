"""The first start: the sample and the story, in a folder of their own that takes its place when all is done."""

import asyncio
import datetime
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from app.catalogue import NAMES
from app.demo import sample
from app.demo.clock import StoryClock
from app.demo.lives import funding, pending, platforms, technologies
from app.demo.stage import PATIENCE, Life, Stage, Stopped, play
from app.demo.telling import Teller
from app.serve import Process
from app.settings import Settings
from kernel.consumer import SHARD
from kernel.dates import ONE_DAY
from kernel.pack import load

BUILDING = ".first-start"
COMPLETE = "complete"
SPAN = 84  # days that the story begins before today
CAUGHT_UP = 60.0  # seconds for the consumers

LIVES = (
    Life("实验室 lab", platforms.laboratory),
    Life("研究院 inst", platforms.institute),
    Life("攻关 tech", technologies.breakthrough),
    Life("专项 fund", funding.programme),
    Life("项目 award", funding.application),
    Life("在审 open", pending.application),
)


def is_first(data: Path) -> bool:
    """Tell whether a data folder has no databases yet. What an interrupted first start left is cleared."""
    building = data / BUILDING
    if (building / COMPLETE).exists():
        _take_over(data)
    elif building.exists():
        shutil.rmtree(building)
    return not any(data.glob("*.sqlite3"))


async def build(
    settings: Settings, tell: Teller, today: datetime.date, stopping: Callable[[], bool]
) -> None:
    """Make the data that a first start shows. Raises Stopped; then nothing is left but a folder to clear."""
    building = settings.data_dir / BUILDING
    building.mkdir(parents=True)
    clock = StoryClock(today - ONE_DAY * SPAN)
    process = Process(_private(settings, building), NAMES, clock=clock)
    await process.start()
    try:
        address = f"127.0.0.1:{process.port}"
        stage = Stage(address, clock, load(settings.pack), tell, stopping, today - ONE_DAY)
        loop = asyncio.get_running_loop()

        def behind() -> int:
            return asyncio.run_coroutine_threadsafe(_behind(process), loop).result()

        await in_own_thread(tell_story, stage, settings.data_dir, behind)
        await _caught_up(process)
    finally:
        await process.stop()
    (building / COMPLETE).touch()
    _take_over(settings.data_dir)


def _private(settings: Settings, building: Path) -> Settings:
    """Return the settings of the server that only the story talks to: in story time nobody else may write."""
    return Settings(
        {
            "LUOSHU_DATA_DIR": str(building),
            "LUOSHU_LISTEN": "127.0.0.1:0",
            "LUOSHU_AUDIT_HTTP_LISTEN": "127.0.0.1:0",
            "LUOSHU_PACK": str(settings.pack),
        }
    )


def tell_story(stage: Stage, data: Path, behind: Callable[[], int]) -> None:
    """Enter the sample and play the lives to the stage's last day. Raises Stopped.

    `behind`: tells how many events services have not read.
    """
    try:
        stage.tell.heading("示例数据", "the sample")
        sample.enter(stage, data / "imports")
        _await_readers(stage, behind)
        start = stage.today
        stage.tell.heading("六个记录的经历", "six lives")
        stage.tell.say(
            f"以下在故事时钟下进行：自 {start} 起，公示期与工作日如实度过；单位与人员均为虚构。",
            f"Played by a story clock from {start} on, so that notices and working days pass as they must;"
            " units and people are made up.",
            "dim",
        )
        play(stage, LIVES, stage.last)
    finally:
        stage.close()


def _await_readers(stage: Stage, behind: Callable[[], int]) -> None:
    """Wait until every service has read the sample: what the lives bring about stands behind it. Raises Stopped, TimeoutError."""
    stage.tell.say(
        "各服务正在读取这些数据；协同服务将每个申报项目与其余项目逐一比对（查重），约需一两分钟。",
        "Now the services read these rows; coordination compares every application with all others (查重),"
        " which takes a minute or two.",
        "dim",
    )
    total, end = behind(), time.monotonic() + PATIENCE
    with stage.tell.bars("条 events") as bars:
        task = bars.add_task("各服务读取 services read", total=total)
        while left := behind():
            bars.update(task, completed=max(total - left, 0))
            if stage.stopping():
                raise Stopped
            if time.monotonic() > end:
                raise TimeoutError(f"after {PATIENCE:g} s services have not read {left} events")
            time.sleep(0.2)
        bars.update(task, completed=total)


async def in_own_thread(work: Callable[..., None], *args: Any) -> None:
    """Run what takes long in a thread of its own: the pool's few belong to the services."""
    with ThreadPoolExecutor(1, "demonstration") as pool:
        await asyncio.get_running_loop().run_in_executor(pool, work, *args)


async def _caught_up(process: Process) -> None:
    """Wait until every consumer has read every journal to its end. Raises TimeoutError."""
    end = time.monotonic() + CAUGHT_UP
    while await _behind(process):
        if time.monotonic() > end:
            raise TimeoutError("the consumers did not catch up")
        await asyncio.sleep(0.1)


async def _behind(process: Process) -> int:
    """Return how many journal entries consumers have not read."""
    behind = 0
    for follower in process.followers:
        cursors = await asyncio.to_thread(follower.sink.cursors)
        head = await process.journals[follower.source].head()
        behind += max(head - cursors.get((follower.source, SHARD), 0), 0)
    return behind


def _take_over(data: Path) -> None:
    """Move what was built to its place; interrupted, it is gone on with at the next start."""
    building = data / BUILDING
    for path in sorted(building.iterdir()):
        if path.name != COMPLETE:
            path.replace(data / path.name)
    shutil.rmtree(building)
