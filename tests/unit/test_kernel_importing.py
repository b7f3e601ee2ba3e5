"""An import: rows enter in the order sent, and whatever happens in the middle, what was sent again enters once."""

import asyncio
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
from kernel.servicer import ALREADY_PRESENT, ENTERED, Servicer
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import IMPORTER, NO_PACK, PLATFORM, SECRET, TOY, Clock, schema

REFUSED = journal_pb2.IMPORT_OUTCOME_REFUSED
Titles = tuple[tuple[str, ...], ...]
"""The titles of the rows, by message."""
SENT: Titles = tuple((f"甲{n}", f"乙{n}") for n in range(6))
"""Three messages are written together: 0 to 2, 3 to 5."""


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
    assert await told(register.send(SENT)) == [[ENTERED, ENTERED]] * 6
    assert await register.entered() == flat(SENT)
    assert commits == [6, 6]


@pytest.mark.parametrize(
    ("error", "said", "answered"),
    [
        (sa.exc.OperationalError("COMMIT", {}, RuntimeError("disk I/O error")), Unsettled, 3),
        (sa.exc.IntegrityError("INSERT", {}, RuntimeError("UNIQUE")), sa.exc.IntegrityError, 4),
    ],
    ids=["the database itself", "a row that spoils the commit"],
)
async def test_what_fails_in_the_middle_ends_the_stream_where_the_answers_end(
    register: Register, error: Exception, said: type[Exception], answered: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        register.fail(patch, "甲4", error)
        answers = await told_before(register.send(SENT), said)
    assert answers == [[ENTERED, ENTERED]] * answered
    assert await register.entered() == flat(SENT[:answered])
    again = await told(register.send(SENT))
    assert again == [[ALREADY_PRESENT] * 2] * answered + [[ENTERED] * 2] * (6 - answered)
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
