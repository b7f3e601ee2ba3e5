"""Witnesses over HTTP: what they cosign, what they refuse, what they keep as evidence, and the quorum."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.cosigning import Cosigning, Waiting
from kernel import database, metrics
from kernel.web import Answer, Request, WebServer
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.audit import cosigning as asking
from services.audit import merkle, schema
from services.audit.cosigning import Collector, Outcome, Progress, post
from services.audit.keys import Signer, to_base64
from services.audit.note import Checkpoint, cosigners, sign, sign_checkpoint
from services.audit.policy import Policy, quorum_of
from services.audit.policy import Witness as Trusted
from services.audit.suites import COSIGNATURE
from services.audit.tiles import published
from services.audit.witness import MOST_BODY, Kind, Witness
from tests.service.audit_log import Log, audit_engine

ORIGIN = "log.example/henan"
SIGNER = Signer(ORIGIN, bytes(range(32)))
NOW = 1_755_000_000


def witness_at(path: Path, name: str = "w", seed: int = 9) -> Witness:
    signer = Signer(f"luoshu.henan/witness/{name}", bytes([seed] * 32), COSIGNATURE)
    return Witness(database.writing(f"sqlite:///{path}"), signer, [SIGNER.verifier], lambda: NOW)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return witness_at(tmp_path / "witness.sqlite3")


LEAVES = [merkle.leaf_hash(b"leaf %d" % n) for n in range(64)]
OTHERS = [merkle.leaf_hash(b"other %d" % n) for n in range(64)]


def tree(size: int, leaves: list[bytes] = LEAVES) -> merkle.Tree:
    return merkle.extend(merkle.Tree(), leaves[:size])[0]


def note(size: int, leaves: list[bytes] = LEAVES) -> str:
    return sign_checkpoint(size, tree(size, leaves).root, SIGNER)


def proof(old: int, size: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    nodes = {(n.level, n.place): n.hash for n in merkle.extend(merkle.Tree(), leaves)[1]}
    return merkle.consistency_proof(old, size, lambda *at: nodes[at]) if 0 < old < size else []


def body(old: int, text: str, hashes: list[bytes] | None = None) -> bytes:
    return "\n".join([f"old {old}", *map(to_base64, hashes or []), "", text]).encode()


def offer(witness: Witness, old: int, size: int, leaves: list[bytes] = LEAVES) -> Answer:
    return witness.add_checkpoint(body(old, note(size, leaves), proof(old, size, leaves)))


def test_it_cosigns_the_first_head_and_each_that_follows_from_it(witness: Witness) -> None:
    for old, size in ((0, 5), (5, 6), (6, 64), (64, 64)):
        answer = offer(witness, old, size)
        assert answer.status == 200
        line = answer.body.decode()
        assert cosigners(note(size) + line, [witness._signer.verifier]) == {
            "luoshu.henan/witness/w"
        }
    assert witness.sizes() == {ORIGIN: 64}
    assert witness.evidence() == []


def test_a_cosignature_says_when_and_covers_all_of_the_checkpoint(witness: Witness) -> None:
    line = offer(witness, 0, 5).body.decode()
    verifier = witness._signer.verifier
    assert not cosigners(note(6) + line, [verifier])
    other = witness_at(Path(":memory:"), "w")
    other._now = lambda: NOW + 1  # type: ignore[method-assign]
    assert offer(other, 0, 5).body.decode() != line


EMPTY = sign_checkpoint(0, merkle.EMPTY_ROOT, SIGNER)
STRANGER = Signer("log.example/other", bytes(32))
FORGER = Signer(ORIGIN, bytes(32))
REFUSALS = {
    "no body": (b"", 400),
    "no text": (b"\xff\xfe", 400),
    "no empty line": (b"old 0\n" + note(5).encode(), 400),
    "no old": (b"\n\n" + note(5).encode(), 400),
    "old with a zero before it": (body(0, note(5)).replace(b"old 0", b"old 00"), 400),
    "old below zero": (body(0, note(5)).replace(b"old 0", b"old -1"), 400),
    "old above the size": (body(6, note(5)), 400),
    "a hash that is none": (b"old 10\nAAAA\n\n" + note(20).encode(), 400),
    "64 hashes": (body(10, note(20), [bytes(32)] * 64), 400),
    "no checkpoint": (body(0, sign("hello\n", SIGNER)), 400),
    "no signature": (b"old 0\n\n" + Checkpoint(ORIGIN, 5, bytes(32)).text().encode(), 400),
    "another log": (body(0, sign_checkpoint(5, tree(5).root, STRANGER)), 404),
    "another key": (body(0, sign_checkpoint(5, tree(5).root, FORGER)), 403),
    "an altered root": (
        body(10, note(20).replace(to_base64(tree(20).root), to_base64(bytes(32)))),
        403,
    ),
    "an old size that is not held": (body(9, note(20), proof(9, 20)), 409),
    "a rollback": (body(5, note(5)), 409),
    "nothing, where it holds something": (body(0, note(20)), 409),
    "a proof of something else": (body(10, note(20), proof(9, 20)), 422),
    "no proof": (body(10, note(20)), 422),
    "a proof too long": (body(10, note(20), [*proof(10, 20), bytes(32)]), 422),
    "another tree of the same size": (body(10, note(10, OTHERS)), 422),
    "a larger forked tree": (body(10, note(20, OTHERS), proof(10, 20, OTHERS)), 422),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_it_refuses_with_the_status_of_the_protocol_and_keeps_its_head(
    witness: Witness, what: str
) -> None:
    offer(witness, 0, 10)
    sent, status = REFUSALS[what]
    answer = witness.add_checkpoint(sent)
    assert answer.status == status
    assert (answer.body == b"10\n" and answer.type == "text/x.tlog.size") == (status == 409)
    assert witness.sizes() == {ORIGIN: 10}


def test_the_empty_tree_has_one_root(witness: Witness) -> None:
    assert witness.add_checkpoint(body(0, sign_checkpoint(0, bytes(32), SIGNER))).status == 422
    assert witness.add_checkpoint(body(0, EMPTY)).status == 200
    assert witness.add_checkpoint(body(0, note(5), [bytes(32)])).status == 422


def test_two_signed_heads_of_one_size_are_evidence(witness: Witness) -> None:
    offer(witness, 0, 10)
    offer(witness, 10, 20)
    offer(witness, 20, 20, OTHERS)
    (found,) = witness.evidence()
    assert (found.kind, found.held, found.offered) == (Kind.FORK, note(20), note(20, OTHERS))


def test_a_rewritten_past_is_evidence_though_the_witness_is_ahead(witness: Witness) -> None:
    offer(witness, 0, 10)
    offer(witness, 10, 20)
    assert offer(witness, 10, 10, OTHERS).status == 409
    (found,) = witness.evidence()
    assert (found.kind, found.held, found.offered) == (Kind.FORK, note(10), note(10, OTHERS))


def test_a_head_without_its_proof_is_evidence_until_the_proof_comes(witness: Witness) -> None:
    offer(witness, 0, 10)
    witness.add_checkpoint(body(10, note(20)))
    assert [item.kind for item in witness.evidence()] == [Kind.UNPROVEN]
    offer(witness, 10, 20)
    assert witness.evidence() == []


def test_evidence_holds_the_log_s_own_lines_and_is_kept_once(witness: Witness) -> None:
    offer(witness, 0, 10)
    forged = note(10, OTHERS) + "— somebody AAAAAAAAAAAA\n"
    for _ in range(3):
        witness.add_checkpoint(body(10, forged))
    assert [item.offered for item in witness.evidence()] == [note(10, OTHERS)]


def test_what_it_cosigned_is_on_the_disk_before_it_answers(tmp_path: Path) -> None:
    first = witness_at(tmp_path / "w.sqlite3")
    assert offer(first, 0, 10).status == 200
    again = witness_at(tmp_path / "w.sqlite3")  # as after a crash: nothing was closed
    assert again.sizes() == {ORIGIN: 10}
    with again._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def test_a_head_that_cannot_be_kept_is_not_cosigned(witness: Witness) -> None:
    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO head"):
            raise OSError("disk full")

    sa.event.listen(witness._engine, "before_cursor_execute", fail)
    with pytest.raises(OSError, match="disk full"):
        offer(witness, 0, 10)
    assert witness.sizes() == {ORIGIN: 0}


def test_its_newest_head_can_be_fetched_with_both_signatures(witness: Witness) -> None:
    path = f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert witness.answer(Request("GET", path)).status == 404
    offer(witness, 0, 10)
    told = witness.answer(Request("GET", path)).body.decode()
    keys = [witness._signer.verifier, SIGNER.verifier]
    assert cosigners(told, keys) == {ORIGIN, "luoshu.henan/witness/w"}


# The log's side.

NAMES = ("DRC", "DST", "DIIT")


@dataclass
class Province:
    """A log, three witnesses that answer over HTTP, and who asks them."""

    engine: sa.Engine
    log: Log
    witnesses: dict[str, Witness]
    servers: dict[str, WebServer]
    collector: Collector

    async def grow(self, last: int) -> None:
        first = self.log.sink.cursors().get(("platforms", 0), 0) + 1
        await self.log.apply("platforms", [line(at) for at in range(first, last + 1)])

    def published(self) -> tuple[int, frozenset[str]]:
        with self.engine.connect() as connection:
            found = published(connection, self.collector.policy)
        assert found is not None
        keys = [w.verifier for w in self.collector.policy.witnesses]
        return found[0].size, cosigners(found[1], keys)


def line(at: int, text: str = "event") -> JournalEntry:
    return JournalEntry(source="platforms", position=at, event=f"{text} {at}".encode())


def log_at(path: Path) -> Log:
    engine = audit_engine(path)
    return Log(engine, SIGNER, ("platforms",))


@pytest.fixture
def province(tmp_path: Path) -> Iterator[Province]:
    witnesses = {
        name: witness_at(tmp_path / f"{name}.sqlite3", name, seed)
        for seed, name in enumerate(NAMES, 40)
    }
    servers = {n: WebServer("127.0.0.1:0", w.answer, most=MOST_BODY) for n, w in witnesses.items()}
    for server in servers.values():
        server.start()
    trusted = tuple(
        Trusted(n, w._signer.verifier, f"http://127.0.0.1:{servers[n].port}")
        for n, w in witnesses.items()
    )
    policy = quorum_of(Policy((SIGNER.verifier,), trusted), 2, NAMES)
    log = log_at(tmp_path / "audit.sqlite3")
    engine = log.sink._engine
    yield Province(engine, log, witnesses, servers, Collector(engine, engine, policy, post))
    for server in servers.values():
        server.stop()


async def test_a_checkpoint_is_settled_by_a_quorum_and_not_before(province: Province) -> None:
    await province.grow(5)
    for name in ("DST", "DIIT"):
        province.servers[name].stop()
    outcomes = province.collector.round()
    assert outcomes == {"DRC": Outcome.COSIGNED, "DST": Outcome.AWAY, "DIIT": Outcome.AWAY}
    assert province.collector.progress().settled == 0
    server = WebServer(
        f"127.0.0.1:{province.servers['DST'].port}",
        province.witnesses["DST"].answer,
        most=MOST_BODY,
    )
    server.start()
    assert province.collector.round()["DST"] is Outcome.COSIGNED
    server.stop()
    assert province.collector.progress().settled == 5
    assert province.published() == (5, {f"luoshu.henan/witness/{n}" for n in ("DRC", "DST")})


async def test_the_settled_checkpoint_is_published_until_the_next_is_settled(
    province: Province,
) -> None:
    await province.grow(5)
    province.collector.round()
    await province.grow(9)
    assert province.published()[0] == 5
    assert set(province.collector.round().values()) == {Outcome.COSIGNED}
    assert province.published() == (9, {f"luoshu.henan/witness/{n}" for n in NAMES})
    assert province.collector.round() == {}


async def test_a_restarted_log_learns_from_the_witness_where_it_was(province: Province) -> None:
    await province.grow(5)
    province.collector.round()
    province.collector._held.clear()
    await province.grow(7)
    assert set(province.collector.round().values()) == {Outcome.COSIGNED}


async def test_a_log_that_was_rolled_back_is_told_and_raises_the_alarm(
    province: Province, tmp_path: Path
) -> None:
    await province.grow(9)
    province.collector.round()
    back = log_at(tmp_path / "back.sqlite3")
    await back.apply("platforms", [line(at) for at in range(1, 5)])
    engine = back.sink._engine
    cosigning = Cosigning(Collector(engine, engine, province.collector.policy))
    await cosigning.look()
    assert set(cosigning._told.values()) == {Outcome.AHEAD}
    assert metrics.AUDIT_ALARM.labels("ahead")._value.get() == 1
    await back.apply("platforms", [line(at) for at in range(5, 10)])
    await cosigning.look()
    assert metrics.AUDIT_ALARM.labels("ahead")._value.get() == 0


async def test_a_log_that_was_rewritten_gets_no_cosignature(
    province: Province, tmp_path: Path
) -> None:
    await province.grow(9)
    province.collector.round()
    other = log_at(tmp_path / "other.sqlite3")
    await other.apply("platforms", [line(at, "another") for at in range(1, 13)])
    engine = other.sink._engine
    outcomes = Collector(engine, engine, province.collector.policy).round()
    assert set(outcomes.values()) == {Outcome.FORKED}
    for witness in province.witnesses.values():
        assert [item.kind for item in witness.evidence()] == [Kind.UNPROVEN]


async def test_a_witness_that_lies_does_not_count(province: Province) -> None:
    await province.grow(5)
    liars = {
        "another key": lambda *_: (200, offer(witness_at(Path(":memory:"), "DRC", 1), 0, 5).body),
        "no line": lambda *_: (200, b"\xff\n\n"),
        "no size": lambda *_: (409, b"many\n"),
        "an error": lambda *_: (500, b""),
    }
    for send in liars.values():
        province.collector.send = send
        assert Outcome.COSIGNED not in province.collector.round().values()
    assert province.collector.progress().settled == 0


async def test_a_quorum_that_somebody_wrote_into_the_database_is_none(province: Province) -> None:
    """Nor does it keep the witnesses from being asked."""
    await province.grow(5)
    with province.engine.begin() as tx:
        for name in NAMES:
            key = province.collector.policy.witnesses[NAMES.index(name)].verifier
            forger = Signer(key.name, bytes([7] * 32), COSIGNATURE)
            line = f"— {key.name} {to_base64(key.key_hash + bytes(8) + forger.sign(b'x'))}\n"
            row = {"size": 5, "witness": key.name, "line": line, "time": 0}
            tx.execute(sa.insert(schema.FIRST.cosignature).values(row))
    assert province.collector.progress().settled == 0
    assert set(province.collector.round().values()) == {Outcome.COSIGNED}
    assert province.collector.progress().settled == 5


def answering(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """Serve one connection after another with the same bytes, some at a time; yields the address."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(pause)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def test_a_witness_that_drips_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes well within the time that a byte may take."""
    monkeypatch.setattr(asking, "TIMEOUT", 0.5)
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000
    drip = [bytes([byte]) for byte in said]
    for url in answering(*drip, pause=0.05):
        began = time.monotonic()
        with pytest.raises(OSError, match=r"HTTP|closed|reset"):
            post(url, b"")
        assert time.monotonic() - began < 20


def test_a_witness_does_not_send_the_log_elsewhere() -> None:
    moved = (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/secret\r\nContent-Length: 0\r\n\r\n"
    )
    for url in answering(moved):
        assert post(url, b"")[0] == 302


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:1", "http://127.0.0.1:x/"])  # fmt: skip
def test_an_address_that_is_none_is_nobody_who_answers(url: str) -> None:
    with pytest.raises(OSError, match=r"ftp|file|''|nonnumeric"):
        post(url, b"")


def test_the_age_is_that_of_the_oldest_unsettled_entry() -> None:
    waiting = Waiting()
    assert waiting.age(Progress(0, 0), 100.0) == 0
    assert waiting.age(Progress(5, 0), 101.0) == 0
    assert waiting.age(Progress(9, 0), 103.0) == 2
    assert waiting.age(Progress(9, 5), 104.0) == 1
    assert waiting.age(Progress(9, 9), 105.0) == 0
    assert waiting.age(Progress(9, 9), 190.0) == 0
