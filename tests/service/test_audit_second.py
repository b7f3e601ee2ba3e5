"""The second log holds the same entries with SM3 and SM2, under the same rules, beside the first."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from app.readers import audit_signers
from app.sealing import PAUSE, Sealing
from app.secrets import audit_key, sm_key
from app.settings import ROOT, Settings, SettingsError
from kernel import database
from kernel.case import Caller, Role
from kernel.errors import Refused
from kernel.pack import Pack
from kernel.web import Request
from luoshu.audit.v1 import audit_pb2 as pb
from services.audit import merkle, schema, sealing, store
from services.audit.bundle import Unreadable, verify_bundle
from services.audit.check import verify_stored
from services.audit.cosigning import Collector, Outcome
from services.audit.hashes import with_nodes
from services.audit.keys import generate, parse_verifier
from services.audit.note import verify_checkpoint
from services.audit.policy import Policy, quorum_of
from services.audit.policy import Witness as Trusted
from services.audit.questions import Asking
from services.audit.sealing import Damaged, Sealer, seal_next
from services.audit.servicer import AuditServicer
from services.audit.suites import COSIGNATURE, SHA_ED25519, SM3_SM2, sm_3
from services.audit.tiles import TileServer
from services.audit.view import Registries
from services.audit.witness import Witness
from tests.service import audit_bundles, sm_keys
from tests.service.audit_bundles import SIGNER, SIZE, SOME, TRUSTED, WITNESSES, cosigned, line
from tests.service.audit_log import Log, audit_engine

SECOND = sm_keys.SIGNER
POLICY = Policy((SECOND.verifier,))
FIRST_POLICY = Policy((SIGNER.verifier,))
ASKING, REGISTRIES = Asking(cast(Pack, None), {}), Registries({}, {})
AUDITOR = Caller("auditor-1", "DRC", frozenset({Role.AUDITOR}))
SM = pb.SUITE_SM3_SM2


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return audit_engine(tmp_path / "audit.db")


@pytest.fixture
def log(engine: sa.Engine) -> Log:
    return Log(engine, SIGNER, ("platforms", "funding"))


@pytest.fixture
def second(engine: sa.Engine) -> Sealer:
    return Sealer(engine, engine, SECOND)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """600 entries in both logs."""
    log = audit_bundles.log_at(tmp_path_factory.mktemp("audit") / "audit.db")
    asyncio.run(sealed(log, Sealer(log.sink._engine, log.sink._engine, SECOND)))
    return log


async def sealed(log: Log, sealer: Sealer) -> None:
    while await seal_next(sealer, log.lines):
        pass


def signed(engine: sa.Engine) -> list[int]:
    with engine.connect() as connection:
        notes = [note for _, note in store.checkpoints(connection, log=schema.SECOND)]
    return [verify_checkpoint(note, SECOND.verifier).size for note in notes]


async def test_it_begins_late_and_covers_every_entry(
    engine: sa.Engine, log: Log, second: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.apply("platforms", [line(at) for at in range(1, 9)])
    monkeypatch.setattr(sealing, "MOST", 3)
    await sealed(log, second)
    assert signed(engine) == [3, 6, 8]
    with engine.connect() as connection:
        assert verify_stored(connection, SECOND.verifier.encoded()).sound
        assert verify_stored(connection, SIGNER.verifier.encoded()).sound


async def test_its_root_is_that_of_sm3_over_the_same_leaves(
    engine: sa.Engine, log: Log, second: Sealer
) -> None:
    await log.apply("platforms", [line(at) for at in range(1, 6)])
    await sealed(log, second)
    with engine.connect() as connection:
        (_, note), *_ = store.checkpoints(connection, log=schema.SECOND)
        leaves = [merkle.leaf_hash(e.leaf, sm_3) for e in store.read_entries(connection)]
    root = merkle.extend(merkle.Tree(digest=sm_3), leaves)[0].root
    assert verify_checkpoint(note, SECOND.verifier).root == root
    assert note.startswith("log.example/henan/sm\n5\n")


async def test_both_are_signed_in_one_look(engine: sa.Engine, log: Log, second: Sealer) -> None:
    log.tell("platforms", [line(at) for at in range(1, 4)])
    look = Sealing(log.lines, log.sealer, second).look
    assert await look() == PAUSE
    log.tell("platforms", [line(at) for at in range(4, 6)])
    await look()
    assert signed(engine) == [3, 5]
    assert audit_bundles.notes_of(log)[-1].split("\n")[1] == "5"


async def test_an_entry_that_is_not_the_journals_is_not_signed(
    engine: sa.Engine, log: Log, second: Sealer
) -> None:
    await log.apply("platforms", [line(at) for at in range(1, 4)])
    with engine.begin() as tx:
        changed = sa.update(schema.entry).where(schema.entry.c.position == 2)
        tx.execute(changed.values(event=b"another"))
    with pytest.raises(Damaged, match="entry 1: it is not what the journal holds"):
        await sealed(log, second)
    assert signed(engine) == []


@pytest.mark.parametrize(("level", "place"), [(0, 1), (1, 0)])
async def test_a_hash_that_changed_between_storing_and_signing_is_not_signed(
    engine: sa.Engine, log: Log, second: Sealer, level: int, place: int
) -> None:
    await log.apply("platforms", [line(at) for at in range(1, 4)])
    assert second.unsigned() is not None  # now its hashes are stored
    node = schema.SECOND.node
    with engine.begin() as tx:
        here = sa.update(node).where(node.c.level == level, node.c.index == place)
        tx.execute(here.values(hash=bytes(32)))
    with pytest.raises(Damaged):
        await sealed(log, second)
    assert signed(engine) == []


async def test_a_signed_hash_that_changed_stops_the_signing(
    engine: sa.Engine, log: Log, second: Sealer
) -> None:
    await log.apply("platforms", [line(at) for at in range(1, 4)])
    await sealed(log, second)
    with engine.begin() as tx:
        tx.execute(sa.update(schema.SECOND.node).values(hash=bytes(32)))
    log.tell("platforms", [line(4)])
    with pytest.raises(Damaged, match="is not what was signed"):
        await sealed(log, second)
    assert signed(engine) == [3]


def test_its_files_lie_below_a_path_of_their_own(both: Log) -> None:
    files = TileServer(both.sink._engine, FIRST_POLICY, POLICY)

    def get(path: str) -> bytes:
        return files.answer(Request("GET", path)).body

    assert get("/sm/checkpoint").startswith(b"log.example/henan/sm\n600\n")
    assert get("/checkpoint").startswith(b"log.example/henan\n600\n")
    assert get("/sm/tile/entries/002.p/88") == get("/tile/entries/002.p/88") != b""
    hashes = get("/sm/tile/0/002.p/88")
    assert len(hashes) == 32 * 88
    assert hashes != get("/tile/0/002.p/88")


@pytest.mark.parametrize(
    "path", ["/sm", "/sm/", "/sm//checkpoint", "sm/checkpoint", "/sm/sm/checkpoint"]
)
def test_another_path_is_none_of_its_files(both: Log, path: str) -> None:
    files = TileServer(both.sink._engine, FIRST_POLICY, POLICY)
    assert files.answer(Request("GET", path)).status == 404


def test_where_it_is_off_there_are_no_files_of_it(both: Log) -> None:
    files = TileServer(both.sink._engine, FIRST_POLICY)
    assert files.answer(Request("GET", "/sm/checkpoint")).status == 404


async def test_its_proofs_come_by_rpc(both: Log) -> None:
    servicer = AuditServicer(both.sink._engine, [FIRST_POLICY, POLICY], ASKING, REGISTRIES)
    newest = await servicer.GetCheckpoint(pb.GetCheckpointRequest(suite=SM), AUDITOR)
    head = verify_checkpoint(newest.note, SECOND.verifier)
    assert parse_verifier(newest.verifier_key) == SECOND.verifier
    proof = await servicer.GetInclusionProof(
        pb.GetInclusionProofRequest(index=255, suite=SM), AUDITOR
    )
    assert proof.checkpoint == newest.note
    said = (255, SIZE, proof.leaf_hash, list(proof.hashes), head.root)
    assert merkle.inclusion_holds(*said, sm_3)
    assert not merkle.inclusion_holds(*said)
    shown = await servicer.GetConsistencyProof(
        pb.GetConsistencyProofRequest(first=300, suite=SM), AUDITOR
    )
    with both.sink._engine.connect() as connection:
        old = with_nodes(connection, lambda n: merkle.load(300, n, sm_3), schema.SECOND)
    roots = (300, SIZE, old.root, head.root)
    assert merkle.consistency_holds(*roots, list(shown.hashes), sm_3)
    tile = await servicer.ReadTile(pb.ReadTileRequest(path="tile/0/000", suite=SM), AUDITOR)
    assert tile.content[:32] == merkle.leaf_hash(
        next(store.read_entries(both.sink._engine.connect())).leaf, sm_3
    )


async def test_where_it_is_off_it_is_said_how_to_begin_it(both: Log) -> None:
    servicer = AuditServicer(both.sink._engine, [FIRST_POLICY], ASKING, REGISTRIES)
    with pytest.raises(Refused, match="LUOSHU_AUDIT_SM_ORIGIN"):
        await servicer.GetCheckpoint(pb.GetCheckpointRequest(suite=SM), AUDITOR)


def test_witnesses_cosign_it_by_its_own_hash(both: Log, tmp_path: Path) -> None:
    engine = both.sink._engine
    departments = [generate(f"w/{name}", COSIGNATURE) for name in ("DRC", "DST")]
    witnesses = {
        f"http://{signer.name}": Witness(
            database.writing(f"sqlite:///{tmp_path / str(at)}.sqlite3"),
            signer,
            [SIGNER.verifier, SECOND.verifier],
        )
        for at, signer in enumerate(departments)
    }
    trusted = tuple(Trusted(s.name, s.verifier, f"http://{s.name}") for s in departments)
    policy = quorum_of(Policy((SECOND.verifier,), trusted), 2, [s.name for s in departments])

    def send(url: str, body: bytes) -> tuple[int, bytes]:
        answer = witnesses[url.removesuffix("/add-checkpoint")].add_checkpoint(body)
        return answer.status, answer.body

    collector = Collector(engine, engine, policy, send)
    assert set(collector.round().values()) == {Outcome.COSIGNED}
    assert collector.progress().settled == SIZE
    assert Collector(engine, engine, FIRST_POLICY, send).progress().settled == 0


def test_a_whole_bundle_is_good_and_says_its_suite(both: Log, tmp_path: Path) -> None:
    note = audit_bundles.notes_of(both, schema.SECOND)[-1]
    path = audit_bundles.whole(both, tmp_path / "whole.zip", note, policy=POLICY)
    found = verify_bundle(path, POLICY.text())
    assert found.report.findings == ()
    assert (found.size, found.checked, found.suite) == (SIZE, SIZE, "sm3-sm2")
    bad = audit_bundles.altered(path, tmp_path / "bad.zip", "tile/entries/001", 5000)
    assert verify_bundle(bad, POLICY.text()).report.first_bad_index in range(256, 512)


def test_some_entries_are_good_by_their_proofs_and_cosignatures(both: Log, tmp_path: Path) -> None:
    policy = quorum_of(Policy((SECOND.verifier,), TRUSTED), 2, WITNESSES)
    note = cosigned(audit_bundles.notes_of(both, schema.SECOND)[-1], "DRC", "DIIT")
    path = audit_bundles.some(both, tmp_path / "some.zip", note, policy=policy)
    found = verify_bundle(path)
    assert found.report.findings == ()
    assert (found.checked, found.cosigned) == (len(SOME), {"w/DRC", "w/DIIT"})
    bad = audit_bundles.altered(path, tmp_path / "bad.zip", "entry/7", 40)
    assert verify_bundle(bad).report.first_bad_index == 7


def test_a_bundle_of_another_suite_than_the_trusted_keys_is_refused_by_name(
    both: Log, tmp_path: Path
) -> None:
    sm = audit_bundles.some(
        both, tmp_path / "sm.zip", audit_bundles.notes_of(both, schema.SECOND)[-1], policy=POLICY
    )
    with pytest.raises(
        Unreadable, match=r"of a log of sm3-sm2, and .* only logs of sha256-ed25519"
    ):
        verify_bundle(sm, FIRST_POLICY.text())
    sha = audit_bundles.some(
        both, tmp_path / "sha.zip", audit_bundles.notes_of(both)[-1], policy=FIRST_POLICY
    )
    with pytest.raises(
        Unreadable, match=r"of a log of sha256-ed25519, and .* only logs of sm3-sm2"
    ):
        verify_bundle(sha, POLICY.text())


def test_the_script_that_knows_sha_256_only_says_so(both: Log, tmp_path: Path) -> None:
    note = audit_bundles.notes_of(both, schema.SECOND)[-1]
    path = audit_bundles.some(both, tmp_path / "sm.zip", note, policy=POLICY)
    words = [sys.executable, str(ROOT / "tools" / "verify_bundle.py"), str(path)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 5
    assert "the log is of SM3 and SM2" in ran.stderr


def settings(tmp_path: Path, **more: str) -> Settings:
    said = {f"LUOSHU_{name}": value for name, value in more.items()}
    return Settings({"LUOSHU_DATA_DIR": str(tmp_path), **said})


def test_one_setting_begins_it_and_its_key_is_its_own(tmp_path: Path) -> None:
    off, on = settings(tmp_path), settings(tmp_path, AUDIT_SM_ORIGIN="luoshu.henan/log-sm")
    assert [signer.suite for signer in audit_signers(off)] == [SHA_ED25519]
    assert not sm_key(on).exists()
    first, second = audit_signers(on)
    assert (first.suite, second.suite) == (SHA_ED25519, SM3_SM2)
    assert second.name == "luoshu.henan/log-sm"
    assert audit_signers(on) == [first, second]  # kept
    assert sm_key(on).stat().st_mode & 0o777 == 0o600


def test_the_first_logs_origin_is_not_the_seconds(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one of its own"):
        audit_signers(settings(tmp_path, AUDIT_SM_ORIGIN="luoshu.henan/log"))


def test_a_key_of_another_suite_is_refused_by_name(tmp_path: Path) -> None:
    on = settings(tmp_path, AUDIT_SM_ORIGIN="luoshu.henan/log-sm")
    audit_signers(on)
    sm_key(on).write_text(audit_key(on).read_text())
    with pytest.raises(SettingsError, match="key of sha256-ed25519, and this log is of sm3-sm2"):
        audit_signers(on)
