"""An import: rows enter in the order sent, and whatever happens in the middle, what was sent again enters once."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kernel.case import Reference
from kernel.decide import Batch
from kernel.errors import OwnerSilent, Unsettled
from kernel.outcome import Command, Settled
from kernel.room import Circumstances, Room
from kernel.rpc import Rows
from kernel.servicer import ALREADY_PRESENT, ENTERED, TOGETHER, Servicer
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import IMPORTER, NO_PACK, OWNER, PLATFORM, SECRET, TOY, Clock, schema

REFUSED = journal_pb2.IMPORT_OUTCOME_REFUSED
Titles = tuple[tuple[str, ...], ...]
"""The titles of the rows, by message."""
SENT: Titles = tuple((f"甲{n:02}", f"乙{n:02}") for n in range(2 * TOGETHER))
"""The first half of the messages is written together, and the second."""


class Register:
    """A service's import, its owners of other records, and what its journal tells."""

    def __init__(self, url: str) -> None:
        self.asked = list[str]()
        said = Circumstances(url=url, secret=SECRET, pack=NO_PACK, clock=Clock(), ask=self.ask)
        self.room = Room(TOY, said)

    async def ask(self, name: str) -> Reference | None:
        self.asked.append(name)
        return Reference(name, "STATE_OPEN", "某次申报")

    def send(self, titles: Titles) -> AsyncIterator[Any]:
        return Servicer(self.room, PLATFORM).import_(self._messages(titles), IMPORTER)

    async def _messages(self, titles: Titles) -> AsyncIterator[Rows]:
        for some in titles:
            rows = [
                pb.ImportPlatformsRequest.Row(key=t, platform=pb.Platform(title=t)) for t in some
            ]
            yield Rows(pb.ImportPlatformsRequest(source="old"), rows, {})

    async def entered(self) -> list[str]:
        lines = await self.room.read(self.room.store.told, 0, 1000)
        return [pb.PlatformsEvent.FromString(line.event).platform.title for line in lines]

    def fail(self, monkeypatch: pytest.MonkeyPatch, title: str, error: Exception) -> None:
        """Let the database fail where a title is to be written."""
        save = self.room.writer.store.save

        def failing(tx: sa.Connection, batch: Any, **more: Any) -> None:
            if any(title.encode() in row.event for row in batch.journal):
                raise error
            save(tx, batch, **more)

        monkeypatch.setattr(self.room.writer.store, "save", failing)


@pytest.fixture
async def register(tmp_path: Path) -> AsyncIterator[Register]:
    register = Register(schema(tmp_path / "toy.sqlite3"))
    yield register
    await asyncio.to_thread(register.room.close)


async def told(answers: AsyncIterator[Any], seen: list[list[int]] | None = None) -> list[list[int]]:
    """Return the outcomes by message; `seen`: where to put them, for those of a stream that fails."""
    seen = [] if seen is None else seen
    async for answer in answers:
        seen.append([result.outcome for result in answer.results])
    return seen


async def told_before(answers: AsyncIterator[Any], error: type[Exception]) -> list[list[int]]:
    """Return what was told before a stream failed."""
    seen = list[list[int]]()
    with pytest.raises(error):
        await told(answers, seen)
    return seen


def flat(titles: Titles) -> list[str]:
    return [title for some in titles for title in some]


async def test_rows_enter_in_the_order_sent_with_fewer_commits_than_messages(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, commits = register.room.writer.store.save, list[int]()

    def counted(tx: sa.Connection, batch: Any, **more: Any) -> None:
        commits.append(len(batch.journal))
        save(tx, batch, **more)

    monkeypatch.setattr(register.room.writer.store, "save", counted)
    assert await told(register.send(SENT)) == [[ENTERED, ENTERED]] * len(SENT)
    assert await register.entered() == flat(SENT)
    assert commits == [2 * TOGETHER] * 2


async def test_others_wait_for_the_message_that_is_being_written_and_for_no_other(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, decide, created = register.room, Batch.decide, list[asyncio.Future[Settled]]()
    loop = asyncio.get_running_loop()
    request = pb.CreatePlatformRequest(platform=pb.Platform(title="新"), request_id="new-1")

    def create() -> None:
        command = room.commands.create(PLATFORM, request, OWNER)
        created.append(asyncio.ensure_future(room.settle(command)))

    def beside(batch: Batch, command: Command) -> Settled:
        if command.given.title == "甲02":
            loop.call_soon_threadsafe(create)
            until = time.monotonic() + 10
            while not room.writer.hurried() and time.monotonic() < until:
                time.sleep(0.001)
        return decide(batch, command)

    monkeypatch.setattr(Batch, "decide", beside)
    assert await told(register.send(SENT)) == [[ENTERED, ENTERED]] * len(SENT)
    await created[0]
    ahead = flat(SENT[:3])
    assert await register.entered() == [*ahead, "新", *flat(SENT)[len(ahead) :]]
    assert not room.writer.hurried()


async def test_who_has_gone_is_not_waited_for(register: Register) -> None:
    request = pb.CreatePlatformRequest(platform=pb.Platform(title="新"), request_id="new-1")
    command = register.room.commands.create(PLATFORM, request, OWNER)
    leaving = asyncio.ensure_future(register.room.settle(command))
    await asyncio.sleep(0)
    assert register.room.writer.hurried()
    leaving.cancel()
    await asyncio.wait([leaving])
    assert not register.room.writer.hurried()


async def test_an_import_is_no_other_to_an_import(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, seen = Batch.decide, set[bool]()

    def beside(batch: Batch, command: Command) -> Settled:
        seen.add(register.room.writer.hurried())
        return decide(batch, command)

    monkeypatch.setattr(Batch, "decide", beside)
    other = tuple((f"丙{n:02}",) for n in range(len(SENT)))
    both = await asyncio.gather(told(register.send(SENT)), told(register.send(other)))
    assert both == [[[ENTERED] * 2] * len(SENT), [[ENTERED]] * len(other)]
    assert seen == {False}


@pytest.mark.parametrize(
    ("error", "said", "answered"),
    [
        (
            sa.exc.OperationalError("COMMIT", {}, RuntimeError("disk I/O error")),
            Unsettled,
            TOGETHER,
        ),
        (
            sa.exc.IntegrityError("INSERT", {}, RuntimeError("UNIQUE")),
            sa.exc.IntegrityError,
            TOGETHER + 1,
        ),
    ],
    ids=["the database itself", "a row that spoils the commit"],
)
async def test_what_fails_in_the_middle_ends_the_stream_where_the_answers_end(
    register: Register, error: Exception, said: type[Exception], answered: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        register.fail(patch, SENT[TOGETHER + 1][0], error)
        answers = await told_before(register.send(SENT), said)
    assert answers == [[ENTERED, ENTERED]] * answered
    assert await register.entered() == flat(SENT[:answered])
    again = await told(register.send(SENT))
    assert again == [[ALREADY_PRESENT] * 2] * answered + [[ENTERED] * 2] * (len(SENT) - answered)
    assert await register.entered() == flat(SENT)


async def test_a_rule_that_crashes_ends_the_stream_before_the_next_message(
    register: Register,
) -> None:
    sent: Titles = (("0a",), ("crash", "1b"), ("2a",), ("3a",))
    assert await told_before(register.send(sent), ZeroDivisionError) == [[ENTERED]]
    assert await register.entered() == ["0a", "1b"]


async def test_a_message_is_answered_though_the_one_behind_it_has_a_silent_owner(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(name: str) -> Reference | None:
        raise OwnerSilent(name, name)

    monkeypatch.setattr(register.room, "_ask", silent)
    sent: Titles = (("0a",), ("refers to calls/c1",), ("2a",))
    assert await told_before(register.send(sent), OwnerSilent) == [[ENTERED]]
    assert await register.entered() == ["0a"]


async def test_a_rule_that_fails_once_behind_another_message_leaves_no_wrong_answer(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided beside it was not done, so that it is entered, not there already, when it comes again."""
    decide, failed = Batch.decide, list[str]()

    def once(batch: Batch, command: Command) -> Settled:
        title = command.given.title
        if title == "1a" and not failed:
            failed.append(title)
            raise MemoryError
        return decide(batch, command)

    monkeypatch.setattr(Batch, "decide", once)
    sent: Titles = (("0a",), ("1a", "1b"))
    assert await told(register.send(sent)) == [[ENTERED], [ENTERED, ENTERED]]
    assert await register.entered() == ["0a", "1a", "1b"]
    assert failed


async def test_no_message_overtakes_one_whose_owner_is_asked(register: Register) -> None:
    waits = "refers to calls/c1"
    sent: Titles = ((waits, "0b"), ("1a",), ("2a",))
    assert await told(register.send(sent)) == [[ENTERED, ENTERED], [ENTERED], [ENTERED]]
    assert register.asked == ["calls/c1"]
    assert await register.entered() == ["0b", waits, "1a", "2a"]


async def test_a_row_that_is_refused_ends_nothing(register: Register) -> None:
    sent: Titles = (("0a",), ("refused", "1b"), ("2a",))
    assert await told(register.send(sent)) == [[ENTERED], [REFUSED, ENTERED], [ENTERED]]
    assert await register.entered() == ["0a", "1b", "2a"]


async def test_who_leaves_in_the_middle_and_sends_again_has_each_row_once_in_its_order(
    register: Register,
) -> None:
    answers = register.send(SENT)
    await anext(answers)
    await answers.aclose()  # type: ignore[attr-defined]
    again = await told(register.send(SENT))
    assert again[0] == [ALREADY_PRESENT] * 2
    assert await register.entered() == flat(SENT)
