"""A domain's rules asked without deciding anything: the same case as a decision has, read in one transaction."""

import sqlalchemy as sa

from kernel.case import Caller, Case
from kernel.decide import Batch
from kernel.decision import Decision
from kernel.outcome import Command
from kernel.room import Room
from kernel.store import TransactionLoader


def case_of(tx: sa.Connection, room: Room, name: str, caller: Caller) -> Case:
    """Return the circumstances in which `name` would be decided upon now; nothing comes of it."""
    batch = Batch(
        service=room.service,
        pack=room.pack,
        vault=room.vault,
        loader=TransactionLoader(room.store, lambda: tx),
        now=room.writer.clock(),
        last=0,
        position=room.store.head(tx),
        records={},
        seen={},
    )
    command = Command("inquire", name, None, "", b"", caller)
    return Decision(batch, command)
