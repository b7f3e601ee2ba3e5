"""Requests as commands: what is decided, for whom, and how a repeat is told from a clash."""

import hashlib
import os
import re
import secrets
import time
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from kernel.case import Caller
from kernel.dates import to_date
from kernel.errors import Invalid
from kernel.outcome import Command
from kernel.registry import Resource

BUDGET = 9.0
"""Seconds that a command may wait in the queue; a caller's own deadline is shorter or equal."""


ID = "[a-z0-9][a-z0-9-]{0,62}"
"""The last part of a resource name, as the contract's patterns have it."""


DRAWN = 512  # random texts drawn at a time; even
_AHEAD = list[str]()
os.register_at_fork(after_in_child=_AHEAD.clear)  # two processes must not draw the same


class Commands:
    """Makes commands. `secret`: the service's; fingerprints are keyed, since a request may hold personal data."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(b"luoshu fingerprints", key=secret, digest_size=32).digest()

    def create(self, resource: Resource, request: Any, caller: Caller) -> Command:
        whole = self._fingerprint("create", request, caller)
        return self._created(resource, request, caller, request.request_id or _made_up(), whole)

    def batch(self, resource: Resource, request: Any, caller: Caller) -> tuple[Command, ...]:
        """Return a command a record. The first has the batch's request id, and all of them its fingerprint."""
        for item in request.requests:
            item.request_id, item.validate_only = "", request.validate_only
        whole = self._fingerprint("batch_create", request, caller)
        base = request.request_id or _made_up()
        ids = (f"{base}~r{index}" if index else base for index in range(len(request.requests)))
        return tuple(
            self._created(resource, item, caller, request_id, whole)
            for request_id, item in zip(ids, request.requests, strict=True)
        )

    def _created(
        self, resource: Resource, request: Any, caller: Caller, request_id: str, whole: bytes
    ) -> Command:
        own = getattr(request, f"{resource.singular}_id")
        return _command(
            "create",
            f"{resource.collection}/{own or new_id()}",
            request,
            caller,
            request_id,
            whole,
            given=getattr(request, resource.singular),
            fresh=not own,
        )

    def update(self, resource: Resource, request: Any, caller: Caller) -> Command:
        given = getattr(request, resource.singular)
        if not re.fullmatch(f"{resource.collection}/{ID}", given.name):
            raise Invalid(
                f"{resource.singular}.name: say which one: {resource.collection}/…",
                f"{resource.singular}.name：请注明记录名称：{resource.collection}/…",
                field=f"{resource.singular}.name",
            )
        whole = self._fingerprint("update", request, caller)
        return _command(
            "update",
            given.name,
            request,
            caller,
            request.request_id or _made_up(),
            whole,
            given=given,
            etag=given.etag,
        )

    def act(self, action: str, request: Any, caller: Caller) -> Command:
        whole = self._fingerprint(action, request, caller)
        request_id = request.request_id or _made_up()
        return _command(action, request.name, request, caller, request_id, whole, etag=request.etag)

    def row(self, resource: Resource, source: str, row: Any, caller: Caller, dry: bool) -> Command:
        """Return the command of an imported row; its request id follows from what it says, so that a repeat is one."""
        given = getattr(row, resource.singular)
        key, own = row.key, getattr(row, f"{resource.singular}_id")
        own = own or _derived_id(source, key)
        origin, day = given.origin, row.effective_date
        origin.source, origin.key = source, key
        said = f"{source}\0{key}\0{own}\0{day}".encode()
        said += given.SerializeToString(deterministic=True)
        mark = hashlib.blake2b(said, key=self._key, digest_size=20).hexdigest()
        return Command(
            action="imported",
            name=f"{resource.collection}/{own}",
            request=row,
            request_id=f"import~{mark}",
            fingerprint=mark.encode()[:16],
            caller=caller,
            given=given,
            effective=to_date(day, "effective_date"),
            validate_only=dry,
        )

    def mark(self, raw: bytes) -> bytes:
        """Return 16 bytes that stand for a request's bytes in the access journal."""
        return hashlib.blake2b(raw, key=self._key, digest_size=16).digest()

    def _fingerprint(self, action: str, request: Any, caller: Caller) -> bytes:
        """16 bytes over who asked for what: it tells a repeat from a clash."""
        said = f"{action}\0{caller.actor}\0{caller.department}\0".encode()
        return self.mark(said + request.SerializeToString(deterministic=True))


def _command(
    action: str,
    name: str,
    request: Any,
    caller: Caller,
    request_id: str,
    fingerprint: bytes,
    given: Any = None,
    etag: str = "",
    *,
    fresh: bool = False,
) -> Command:
    dated, reasoned, tries = _fields_of(request.DESCRIPTOR)
    return Command(
        action,
        name,
        request,
        request_id,
        fingerprint,
        caller,
        given,
        etag,
        to_date(request.effective_date, "effective_date") if dated else None,
        request.reason if reasoned else "",
        fresh,
        request.validate_only if tries else False,
        time.monotonic() + BUDGET,
    )


@lru_cache(maxsize=256)
def _fields_of(request: Descriptor) -> tuple[bool, bool, bool]:
    """Tell which of these a kind of request has: to ask a message for a field that it has not takes long."""
    known = request.fields_by_name
    return "effective_date" in known, "reason" in known, "validate_only" in known


def _made_up() -> str:
    """Return the request id of a caller who gave none."""
    return f"auto~{new_id()}"


def new_id() -> str:
    """Return 25 characters that sort by time, so that new rows lie together in the index."""
    return f"r{time.time_ns() // 1_000_000:011x}{_drawn()}"


def _drawn() -> str:
    """Return 13 random hexadecimal digits. A call of the system for each would hand the interpreter to other threads."""
    try:
        return _AHEAD.pop()
    except IndexError:
        digits = secrets.token_hex(13 * DRAWN // 2)
        _AHEAD.extend(digits[at : at + 13] for at in range(13, len(digits), 13))
        return digits[:13]


def _derived_id(source: str, key: str) -> str:
    digest = hashlib.sha256(f"{source}\0{key}".encode()).hexdigest()
    return f"i{digest[:20]}"
