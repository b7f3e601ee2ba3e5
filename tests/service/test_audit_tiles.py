"""The log as files: every tile that C2SP tlog-tiles defines, and nothing else."""

import asyncio
import gzip
from pathlib import Path
from typing import cast

import pytest

from kernel.case import Caller, Role
from kernel.errors import NotFound
from kernel.pack import Pack
from kernel.web import Answer, Request
from luoshu.audit.v1 import audit_pb2 as pb
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import merkle
from services.audit.keys import Signer
from services.audit.note import verify_checkpoint
from services.audit.policy import Policy
from services.audit.questions import Asking
from services.audit.servicer import AuditServicer
from services.audit.tiles import Tile, TileServer, of_level, parse_path, tiles_of
from services.audit.view import Registries
from tests.service.audit_log import Log, audit_engine

ASKING, REGISTRIES = Asking(cast(Pack, None), {}), Registries({}, {})
SIGNER = Signer("log.example/henan", bytes(range(32)))
SIZE = 700
AUDITOR = Caller("auditor-1", "DRC", frozenset({Role.AUDITOR}))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    engine = audit_engine(tmp_path_factory.mktemp("audit") / "audit.db")
    log = Log(engine, SIGNER, ("platforms",))
    lines = [
        JournalEntry(source="platforms", position=at, event=b"e" * at) for at in range(1, SIZE + 51)
    ]
    asyncio.run(log.apply("platforms", lines[:SIZE]))
    log.tell("platforms", lines[SIZE:])  # stored and not signed
    return log


@pytest.fixture(scope="module")
def files(log: Log) -> TileServer:
    return TileServer(log.sink._engine, Policy((SIGNER.verifier,)))


def get(files: TileServer, path: str, encodings: str = "") -> Answer:
    return files.answer(Request("GET", f"/{path}", encodings=encodings))


def test_the_tree_is_rebuilt_from_the_files_alone(files: TileServer) -> None:
    checkpoint = verify_checkpoint(get(files, "checkpoint").body.decode(), SIGNER.verifier)
    assert checkpoint.size == SIZE
    bundles = b"".join(get(files, tile.path).body for tile in of_level(-1, SIZE))
    leaves = []
    while bundles:
        size = int.from_bytes(bundles[:2], "big")
        leaves.append(bundles[2 : 2 + size])
        bundles = bundles[2 + size :]
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    assert merkle.extend(merkle.Tree(), hashes)[0].root == checkpoint.root
    tiles = list(tiles_of(SIZE))
    assert [tile.path for tile in tiles] == [
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/188",
        "tile/1/000.p/2",
    ]
    assert b"".join(get(files, tile.path).body for tile in tiles[:3]) == b"".join(hashes)
    halves = [merkle.extend(merkle.Tree(), hashes[at : at + 256])[0].root for at in (0, 256)]
    assert get(files, tiles[3].path).body == b"".join(halves)


def test_any_width_that_a_checkpoint_covers_is_served(files: TileServer) -> None:
    whole = get(files, "tile/0/002.p/188").body
    for width in range(1, 189):
        assert get(files, f"tile/0/002.p/{width}").body == whole[: 32 * width]


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/002",
        "tile/0/002.p/189",
        "tile/0/003.p/1",
        "tile/1/000",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
        "tile/entries/002.p/189",
        "tile/64/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "tile/0/000.p/188%00",
        "tile/entries/../0/000",
        "tile/-1/000",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/٠٠٠",
        "../../etc/passwd",
        "checkpoint/",
        "",
        "/checkpoint",
    ],
)
def test_what_is_no_file_of_the_log_is_not_found(files: TileServer, path: str) -> None:
    answer = get(files, path)
    assert (answer.status, answer.body) == (404, b"404 Not Found\n")


def test_the_checkpoint_is_fresh_and_tiles_are_kept_for_ever(files: TileServer) -> None:
    assert get(files, "checkpoint").headers["Cache-Control"] == "max-age=1"
    assert "immutable" in get(files, "tile/0/000").headers["Cache-Control"]
    assert get(files, "checkpoint").type == "text/plain; charset=utf-8"
    assert get(files, "tile/0/000").type == "application/octet-stream"


def test_bundles_are_packed_for_those_who_take_it(files: TileServer) -> None:
    packed = get(files, "tile/entries/001", "gzip, identity")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == get(files, "tile/entries/001").body
    assert len(packed.body) < len(get(files, "tile/entries/001").body) / 10


@pytest.mark.parametrize("index", [0, 67, 999, 1000, 1_234_067, 10**9, 10**17])
def test_an_index_is_written_in_one_way(index: int) -> None:
    tile = Tile(0, index, 5)
    assert parse_path(tile.path) == tile


def test_the_example_of_the_specification() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    sizes = [[t.width for t in tiles_of(70_000) if t.level == level] for level in range(4)]
    assert [len(s) for s in sizes] == [274, 2, 1, 0]
    assert (sizes[0][-1], sizes[1], sizes[2]) == (112, [256, 17], [1])


async def test_tiles_come_by_grpc_too(log: Log, files: TileServer) -> None:
    servicer = AuditServicer(log.sink._engine, [Policy((SIGNER.verifier,))], ASKING, REGISTRIES)
    for path in ("tile/0/001", "tile/entries/002.p/188"):
        answer = await servicer.ReadTile(pb.ReadTileRequest(path=path), AUDITOR)
        assert answer.content == get(files, path).body
    with pytest.raises(NotFound):
        await servicer.ReadTile(pb.ReadTileRequest(path="tile/0/009"), AUDITOR)


def test_an_empty_log_has_no_files(tmp_path: Path) -> None:
    engine = audit_engine(tmp_path / "audit.db")
    files = TileServer(engine, Policy((SIGNER.verifier,)))
    assert get(files, "checkpoint").status == 404
    assert get(files, "tile/0/000.p/1").status == 404
