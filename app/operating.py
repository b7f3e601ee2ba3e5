"""Acts of an operator that a process itself can tell: start and stop, what changed in its settings, another key."""

import asyncio
import getpass
import os
from collections.abc import Mapping

from app.secrets import audit_key, sm_key
from app.settings import Settings, shown
from kernel.access import Access, Kind
from kernel.access_room import AccessRoom
from kernel.case import Caller, Role
from kernel.room import Room
from luoshu.journal.v1.journal_pb2 import AccessEvent

PATIENCE = 2.0  # seconds that the database has at a stop
KEY = "key"
"""The detail that tells which key a service was started with, without telling the key."""


def operator() -> Caller:
    """Return the operating system's account: whoever can start a process is an operator."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account that has no name
        account = str(os.getuid())
    return Caller(account, "SYSTEM", frozenset({Role.OPERATOR}))


async def started(settings: Settings, recorders: Mapping[str, Room | AccessRoom]) -> None:
    """Tell each service's access journal that it starts, and what is not as it was at the last start."""
    caller = operator()
    for service, recorder in recorders.items():
        now = {**shown(settings), KEY: _mark(settings, service, recorder)}
        before = await recorder.access.last(Kind.STARTED)
        changes = _changes(_details(before), now) if before else []
        said = [Access(kind, caller, "serve", details=details) for kind, details in changes]
        await recorder.record(Access(Kind.STARTED, caller, "serve", details=now), *said)


async def stopped(recorders: Mapping[str, Room | AccessRoom]) -> None:
    """Tell that it stops. A process that is killed, or whose database is away, cannot."""
    said = Access(Kind.STOPPED, operator(), "serve")
    told = (asyncio.wait_for(r.record(said), PATIENCE) for r in recorders.values())
    await asyncio.gather(*told, return_exceptions=True)


def _changes(
    before: Mapping[str, str], now: Mapping[str, str]
) -> list[tuple[Kind, dict[str, str]]]:
    """Return what differs; an empty text stands for a default."""
    differ = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    told = {name: f"{before.get(name, '')} -> {now.get(name, '')}" for name in differ}
    key = {name: change for name, change in told.items() if name == KEY}
    settings = {name: change for name, change in told.items() if name != KEY}
    kinds = ((Kind.SETTINGS_CHANGED, settings), (Kind.KEY_CHANGED, key))
    return [(kind, details) for kind, details in kinds if details]


def _details(event: bytes) -> Mapping[str, str]:
    return dict(AccessEvent.FromString(event).access.details)


def _mark(settings: Settings, service: str, recorder: Room | AccessRoom) -> str:
    """Return a mark of the service's secret, and of the logs' signing keys where it is the audit."""
    text = b"luoshu key"
    if service == "audit":
        text += audit_key(settings).read_bytes()
        text += sm_key(settings).read_bytes() if settings["AUDIT_SM_ORIGIN"] else b""
    return recorder.mark(text).hex()
