"""The log as files (c2sp.org/tlog-tiles): the checkpoint, tiles of 256 hashes, bundles of 256 entries.

Tiles are made of the stored rows when they are asked for, of any width that a checkpoint covers.
"""

import gzip
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from kernel.database import looking
from kernel.errors import Silent
from kernel.web import TEXT, Answer, Request, failed
from services.audit import schema, store
from services.audit.cosigning import settled_size
from services.audit.hashes import level_of
from services.audit.policy import Policy

WIDTH = 256
"""Hashes of a full tile, entries of a full bundle."""
HEIGHT = 8
"""Levels of the tree that a level of tiles spans."""
BYTES = "application/octet-stream"
FOR_EVER = MappingProxyType({"Cache-Control": "public, max-age=31536000, immutable"})
MOMENT = MappingProxyType({"Cache-Control": "max-age=1"})
PACKED = MappingProxyType({**FOR_EVER, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
BUNDLES = 4
"""Bundles of entries that are made at one time: one may have 16 MiB."""

_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """`level`: of tiles, -1 for entries; `width`: 256 for a full one."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        kind = "entries" if self.level < 0 else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{kind}/{_elements(self.index)}{partial}"

    @property
    def start(self) -> int:
        """Place of its first hash in its level."""
        return self.index * WIDTH

    def is_covered(self, size: int) -> bool:
        """Tell whether a tree of that size has all of it."""
        return self.start + self.width <= size >> (HEIGHT * max(self.level, 0))


def parse_path(path: str) -> Tile | None:
    """Return the tile of a path without its first slash; None where it is no tile's, or not its only one."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    kind, elements, width = match.groups()
    index = int(elements.replace("x", "").replace("/", ""))
    tile = Tile(-1 if kind == "entries" else int(kind), index, int(width or WIDTH))
    return tile if tile.path == path else None


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile of hashes of a tree, level by level."""
    level = 0
    while count := size >> (HEIGHT * level):
        yield from of_level(level, count)
        level += 1


def of_level(level: int, count: int) -> Iterator[Tile]:
    """Yield the tiles of so many hashes, or with level -1 the bundles of so many entries."""
    full, rest = divmod(count, WIDTH)
    yield from (Tile(level, index) for index in range(full))
    if rest:
        yield Tile(level, full, rest)


def read_tile(
    connection: sa.Connection, tile: Tile, log: schema.Log = schema.FIRST
) -> bytes | None:
    """Return the content; None where no checkpoint covers all of it, or a row is missing."""
    _, signed = store.sizes(connection, log)
    if not tile.is_covered(signed):
        return None
    parts = _entries(connection, tile) if tile.level < 0 else _hashes(connection, tile, log)
    return b"".join(parts) if len(parts) == tile.width else None


def _hashes(connection: sa.Connection, tile: Tile, log: schema.Log) -> list[bytes]:
    return level_of(connection, tile.level * HEIGHT, tile.start, tile.start + tile.width, log)


def _entries(connection: sa.Connection, tile: Tile) -> list[bytes]:
    found = store.read_entries(connection, after=tile.start - 1, until=tile.start + tile.width)
    return [bundled(entry.leaf) for entry in found]


def bundled(leaf: bytes) -> bytes:
    """Return a leaf as it stands in a bundle: its length in two bytes, then itself."""
    return len(leaf).to_bytes(2, "big") + leaf


def published(connection: sa.Connection, policy: Policy) -> tuple[sa.Row[Any], str] | None:
    """Return the newest checkpoint that is settled, else the newest signed one, and its cosigned note."""
    log, size = schema.LOGS[policy.suite.kind], settled_size(connection, policy)
    latest = store.latest_checkpoint(connection, log)
    row = store.checkpoint_at(connection, size, log) if size else latest
    return (row, store.cosigned(connection, row.size, row.text, log)) if row is not None else None


class TileServer:
    """Answers requests for files of logs, each below a path of its own; it writes nothing."""

    def __init__(self, engine: sa.Engine, *policies: Policy) -> None:
        self._engine = engine
        logs = [(schema.LOGS[policy.suite.kind], policy) for policy in policies]
        self._logs = {log.path: (log, policy) for log, policy in logs}
        self._bundles = threading.BoundedSemaphore(BUNDLES)

    def answer(self, request: Request) -> Answer:
        try:
            return self._found(request)
        except Silent:
            return failed(HTTPStatus.SERVICE_UNAVAILABLE)

    def _found(self, request: Request) -> Answer:
        below, path = _split(request.path)
        log, policy = self._logs.get(below, (None, None))
        if log is None or policy is None:
            return failed(HTTPStatus.NOT_FOUND)
        if path == "checkpoint":
            return self._checkpoint(policy)
        tile = parse_path(path)
        if tile is None:
            return failed(HTTPStatus.NOT_FOUND)
        return self._entries(tile, log, request) if tile.level < 0 else self._tile(tile, log)

    def _checkpoint(self, policy: Policy) -> Answer:
        with looking(self._engine) as connection:
            found = published(connection, policy)
        if found is None:
            return failed(HTTPStatus.NOT_FOUND)
        return Answer(HTTPStatus.OK, found[1].encode(), TEXT, MOMENT)

    def _tile(self, tile: Tile, log: schema.Log) -> Answer:
        with looking(self._engine) as connection:
            content = read_tile(connection, tile, log)
        if content is None:
            return failed(HTTPStatus.NOT_FOUND)
        return Answer(HTTPStatus.OK, content, BYTES, FOR_EVER)

    def _entries(self, tile: Tile, log: schema.Log, request: Request) -> Answer:
        with self._bundles:
            answer = self._tile(tile, log)
            if answer.status != HTTPStatus.OK or "gzip" not in request.encodings:
                return answer
            return Answer(answer.status, gzip.compress(answer.body, 1, mtime=0), BYTES, PACKED)


def _split(path: str) -> tuple[str, str]:
    """Return what a log's paths begin with, and the path of its file."""
    for log in schema.LOGS.values():
        if log.path and path.startswith(f"/{log.path}"):
            return log.path, path[1 + len(log.path) :]
    return ("", path[1:]) if path.startswith("/") else (path, "")


def _elements(index: int) -> str:
    """Return an index as path elements of three digits: 1234067 is x001/x234/067."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
