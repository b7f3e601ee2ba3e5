"""Bundles: written from the log, checked by us and by the script that has nothing of ours; every edit is found."""

import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import ROOT
from services.audit import merkle
from services.audit.bundle import Unreadable, Verified, Writer, verify_bundle
from services.audit.keys import Signer
from services.audit.note import sign_checkpoint
from services.audit.policy import Policy, PolicyError
from services.audit.report import Kind
from services.audit.suites import COSIGNATURE
from tests.service import audit_bundles
from tests.service.audit_bundles import POLICY, SIGNER, SIZE, SOME, TRUSTED, cosigned
from tests.service.audit_log import Log

SCRIPT = ROOT / "tools" / "verify_bundle.py"
Bundle = dict[str, bytes]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return audit_bundles.log_at(tmp_path_factory.mktemp("audit") / "audit.db")


@pytest.fixture(scope="module")
def notes(log: Log) -> list[str]:
    return audit_bundles.notes_of(log)


@pytest.fixture(scope="module")
def whole(log: Log, notes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "whole.zip"
    return audit_bundles.whole(log, path, cosigned(notes[-1], "DRC", "DIIT"))


@pytest.fixture(scope="module")
def some(log: Log, notes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "some.zip"
    return audit_bundles.some(log, path, cosigned(notes[-1], "DRC", "DIIT"))


def script(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the stand-alone script where nothing of ours can be imported."""
    words = [sys.executable, "-I", str(SCRIPT), str(path), *more]
    return subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)


def test_a_whole_bundle_is_good_by_both(whole: Path) -> None:
    found = verify_bundle(whole)
    assert found.report.sound
    assert (found.size, found.checked) == (SIZE, SIZE)
    assert found.cosigned == {"w/DRC", "w/DIIT"}
    ran = script(whole)
    assert ran.returncode == 0, ran.stderr
    assert f"{SIZE} of {SIZE} entries are what was signed, cosigned by DIIT, DRC" in ran.stdout


def test_some_entries_are_good_by_both(some: Path) -> None:
    found = verify_bundle(some)
    assert found.report.sound
    assert (found.size, found.checked) == (SIZE, len(SOME))
    ran = script(some)
    assert ran.returncode == 0, ran.stderr
    assert f"{len(SOME)} of {SIZE} entries" in ran.stdout


def by_hand(path: Path, index: int) -> subprocess.CompletedProcess[str]:
    """Run the script that docs/audit.md prints for checking one entry."""
    page = (ROOT / "docs" / "audit.md").read_text("utf-8")
    program = page.split("## By hand")[1].split("```python\n")[1].split("```")[0]
    words = [sys.executable, "-I", "-c", program, str(path), str(index)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("index", SOME)
def test_the_script_that_is_printed_climbs_from_an_entry_to_the_root(
    some: Path, index: int, tmp_path: Path
) -> None:
    assert by_hand(some, index).returncode == 0
    with zipfile.ZipFile(some) as there, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in there.namelist():
            more = b"!" if name == f"entry/{index}" else b""
            bad.writestr(name, there.read(name) + more)
    assert by_hand(tmp_path / "bad.zip", index).returncode == 5


def test_the_script_imports_nothing_of_ours() -> None:
    text = SCRIPT.read_text("utf-8")
    imported = [
        x.split()[1].split(".")[0]
        for x in text.splitlines()
        if x.lstrip().startswith(("import ", "from "))
    ]
    assert set(imported) - set(sys.stdlib_module_names) == {"cryptography"}


def members(path: Path) -> Bundle:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def readable(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as bundle:
        return bundle.read(name)


def written(path: Path, content: Bundle) -> Path:
    with zipfile.ZipFile(path, "w") as bundle:
        for name, body in content.items():
            bundle.writestr(name, body)
    return path


def both(
    path: Path, *, policy: str = "", kept: list[str] | None = None
) -> tuple[Verified | None, int]:
    """What we say, and the exit code of the script."""
    more = []
    for number, (option, text) in enumerate(
        [*(("--kept", k) for k in kept or []), ("--policy", policy)]
    ):
        if text:
            file = path.with_name(f"{path.name}.{number}")
            file.write_text(text, "utf-8")
            more += [option, str(file)]
    try:
        ours = verify_bundle(path, policy, kept=kept or [])
    except Unreadable:
        ours = None
    return ours, script(path, *more).returncode


def flipped(raw: bytes, at: int, bit: int = 0) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]


def at_entry(raw: bytes, index: int) -> int:
    """Place of an entry's first byte in its bundle."""
    at = 0
    for _ in range(index):
        at += 2 + int.from_bytes(raw[at : at + 2], "big")
    return at + 2


def altered_entry(content: Bundle) -> None:
    raw = content["tile/entries/001"]
    content["tile/entries/001"] = flipped(raw, at_entry(raw, 44) + 30)


def altered_hash(content: Bundle) -> None:
    content["tile/0/001"] = flipped(content["tile/0/001"], 32 * 44)


def altered_both(content: Bundle) -> None:
    altered_entry(content)
    raw = content["tile/entries/001"]
    at = at_entry(raw, 44)
    leaf = raw[at : at + int.from_bytes(raw[at - 2 : at], "big")]
    hashes = content["tile/0/001"]
    content["tile/0/001"] = hashes[: 32 * 44] + merkle.leaf_hash(leaf) + hashes[32 * 45 :]


def lost(content: Bundle) -> None:
    del content["tile/entries/001"]


def cut(content: Bundle) -> None:
    content["tile/entries/002.p/88"] = content["tile/entries/002.p/88"][:-1]


EDITS: dict[str, tuple[Callable[[Bundle], None], int]] = {
    "an entry": (altered_entry, 300),
    "a hash": (altered_hash, 300),
    "an entry with its hash": (altered_both, 300),
    "a lost file": (lost, 256),
    "a cut file": (cut, 599),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_is_found_by_both_and_its_first_entry_named(
    whole: Path, tmp_path: Path, notes: list[str], what: str
) -> None:
    edit, index = EDITS[what]
    content = members(whole)
    edit(content)
    ours, code = both(written(tmp_path / "b.zip", content), kept=[notes[0]])
    assert ours is not None
    assert ours.report.first_bad_index == index
    named = [f.detail for f in ours.report.findings if f.kind == Kind.FILE]
    assert named == (["tile/entries/001"] if what == "a lost file" else [])
    assert code == 5


def grown(name: str, more: bytes) -> Callable[[Bundle], None]:
    def edit(content: Bundle) -> None:
        content[name] = content.get(name, b"") + more

    return edit


SMUGGLED = {
    "an entry beside the whole log": ("tile", grown("entry/7", b"never signed")),
    "a tile that no checkpoint covers": ("tile", grown("tile/entries/003", b"\0\5never")),
    "a narrower tile": ("tile", grown("tile/0/001.p/7", bytes(7 * 32))),
    "an entry of another spelling": ("entry", grown("entry/007", b"never signed")),
    "an entry in other digits": ("entry", grown("entry/٩", b"never signed")),
    "an entry below a folder": ("entry", grown("entry/7/x", b"never signed")),
    "a proof without an entry": ("entry", grown("proof/9", b"never signed")),
    "a file of its own": ("entry", grown("../../etc/cron.d/x", b"never signed")),
    "a byte behind the entries": ("tile", grown("tile/entries/002.p/88", b"x")),
    "an entry behind the last": ("tile", grown("tile/entries/002.p/88", b"\0\5never")),
    "an entry behind a full tile": ("tile", grown("tile/entries/000", b"\0\5never")),
    "a hash behind the last": ("tile", grown("tile/0/002.p/88", bytes(32))),
    "a hash behind a full tile": ("tile", grown("tile/0/000", bytes(32))),
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_what_nobody_signed_is_not_taken_along(
    whole: Path, some: Path, tmp_path: Path, what: str
) -> None:
    """A reader of the file would believe it, because the file was found good."""
    kind, edit = SMUGGLED[what]
    content = members(whole if kind == "tile" else some)
    edit(content)
    ours, code = both(written(tmp_path / "b.zip", content))
    assert (ours is None or not ours.report.sound, code) == (True, 5)


@pytest.mark.parametrize("name", ["checkpoint", "policy", "tile/entries/001"])
def test_a_file_that_stands_in_it_twice_is_not_taken(
    whole: Path, tmp_path: Path, name: str
) -> None:
    """Of two files of a name one reader takes the first and another the last."""
    path = audit_bundles.enlarged(whole, tmp_path / "b.zip", name, readable(whole, name))
    assert both(path) == (None, 5)


def test_two_heads_of_one_size_that_were_kept_are_a_fork(
    whole: Path, some: Path, notes: list[str], tmp_path: Path
) -> None:
    """Two departments compare what each kept: the log showed them different entries."""
    other = sign_checkpoint(SIZE, bytes(32), SIGNER)
    earlier = sign_checkpoint(300, bytes(32), SIGNER)
    two = [notes[0], earlier]
    for path, kept in ((whole, [other]), (some, [other]), (whole, two), (whole, two[::-1])):
        ours, code = both(written(tmp_path / "b.zip", members(path)), kept=kept)
        assert ours is not None
        assert Kind.FORK in {f.kind for f in ours.report.findings}
        assert code == 5


def test_some_entries_are_held_to_a_kept_head_of_their_size_and_of_no_other(
    some: Path, notes: list[str], tmp_path: Path
) -> None:
    ours, code = both(written(tmp_path / "b.zip", members(some)), kept=[notes[1]])
    assert ours is not None
    assert (ours.report.sound, code) == (True, 0)
    assert both(written(tmp_path / "b.zip", members(some)), kept=[notes[0]]) == (None, 5)


def test_a_kept_head_of_another_log_is_not_held_to_this_one(
    whole: Path, notes: list[str], tmp_path: Path
) -> None:
    """Also where the policy names both: mixed origins."""
    another = Signer("log.example/hubei", bytes(range(1, 33)))
    text = POLICY.text() + f"log {another.verifier.encoded()}\n"
    kept = sign_checkpoint(300, bytes(32), another)
    ours, code = both(written(tmp_path / "b.zip", members(whole)), policy=text, kept=[kept])
    assert ours is not None
    assert ([f.kind for f in ours.report.findings], code) == ([Kind.CHECKPOINT], 5)


@pytest.mark.parametrize(
    "line",
    [
        f"witness AGAIN {TRUSTED[0].verifier.encoded()}",
        "group twice 2 DRC DRC",
        "group nobody 0 DRC",
        "group many 3 DRC DST",
        "group \x1b[2J\x1b[31m 1 DRC",
        "group \u202eCRD 1 DRC",
        "group DRC\u2028quorum 1 DRC",
        f"witness DRC {Signer('w/x', bytes(32), COSIGNATURE).verifier.encoded()}",
    ],
)
def test_a_policy_that_makes_a_quorum_of_less_or_shows_another_name_is_none(
    whole: Path, tmp_path: Path, line: str
) -> None:
    text = POLICY.text().replace("quorum", f"{line}\nquorum")
    (tmp_path / "policy").write_text(text, "utf-8")
    with pytest.raises(PolicyError):
        verify_bundle(whole, text)
    assert script(whole, "--policy", str(tmp_path / "policy")).returncode == 2


def test_a_policy_or_a_checkpoint_that_is_none_is_not_blamed_on_the_bundle(
    whole: Path, tmp_path: Path
) -> None:
    key = tmp_path / "log.key"
    key.write_text(SIGNER.verifier.encoded())
    for option, file in (("--policy", key), ("--policy", whole), ("--kept", whole)):
        ran = script(whole, option, str(file))
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "NOT what was signed" not in ran.stderr


def test_a_checkpoint_without_its_quorum_is_not_taken(
    whole: Path, tmp_path: Path, notes: list[str]
) -> None:
    for names in ((), ("DST",)):
        content = members(whole) | {"checkpoint": cosigned(notes[-1], *names).encode()}
        ours, code = both(written(tmp_path / "b.zip", content))
        assert ours is not None
        assert [f.kind for f in ours.report.findings] == [Kind.QUORUM]
        assert code == 5


def test_an_older_state_is_found_by_a_checkpoint_that_was_kept(
    log: Log, notes: list[str], tmp_path: Path
) -> None:
    path = audit_bundles.whole(log, tmp_path / "old.zip", cosigned(notes[0], "DRC", "DST"), 300)
    ours, code = both(path)
    assert ours is not None
    assert (ours.report.sound, code) == (True, 0)
    ours, code = both(path, kept=[notes[1]])
    assert ours is not None
    assert (ours.report.first_bad_index, code) == (300, 5)


def test_keys_of_the_reader_win_over_the_bundle_s_own(whole: Path, tmp_path: Path) -> None:
    forger = Signer(SIGNER.name, bytes(32))
    content = members(whole)
    hashes = content["tile/0/000"] + content["tile/0/001"] + content["tile/0/002.p/88"]
    root = merkle.extend(merkle.Tree(), [hashes[at : at + 32] for at in range(0, 32 * SIZE, 32)])[
        0
    ].root
    content["checkpoint"] = cosigned(sign_checkpoint(SIZE, root, forger), "DRC", "DST").encode()
    content["policy"] = Policy((forger.verifier,), TRUSTED).text().encode()
    path = written(tmp_path / "forged.zip", content)
    assert both(path)[1] == 0
    ours, code = both(path, policy=POLICY.text())
    assert ours is not None
    assert ([f.kind for f in ours.report.findings], code) == ([Kind.CHECKPOINT], 5)


@pytest.mark.parametrize("name", ["entry/7", "proof/7"])
def test_every_altered_byte_of_an_entry_and_its_proof_is_found(
    some: Path, tmp_path: Path, name: str
) -> None:
    content = members(some)
    for at in range(len(content[name])):
        edited = content | {name: flipped(content[name], at, at % 7)}
        found = verify_bundle(written(tmp_path / "b.zip", edited))
        assert found.report.first_bad_index == 7


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/0/002.p/88"])
def test_a_damaged_file_of_the_whole_log_is_named(whole: Path, tmp_path: Path, name: str) -> None:
    path = damaged(whole, tmp_path / "b.zip", name)
    found = verify_bundle(path).report.findings
    assert (found[0].kind, found[0].detail) == (Kind.FILE, name)
    assert Kind.ORDER not in {finding.kind for finding in found}
    assert script(path).returncode == 5


@pytest.mark.parametrize("name", ["entry/255", "proof/255"])
def test_a_damaged_or_missing_file_of_an_entry_is_named(
    some: Path, tmp_path: Path, name: str
) -> None:
    content = members(some)
    content.pop("proof/255")
    for path, lost in (
        (damaged(some, tmp_path / "b.zip", name), name),
        (written(tmp_path / "c.zip", content), "proof/255"),
    ):
        (found,) = verify_bundle(path).report.findings
        assert (found.kind, found.first, found.detail) == (Kind.FILE, 255, lost)
        assert script(path).returncode == 5


def damaged(bundle: Path, path: Path, name: str) -> Path:
    """Copy a bundle, and alter a byte of a member so that its check sum does not fit."""
    written(path, members(bundle))
    with zipfile.ZipFile(path) as opened:
        member = opened.getinfo(name)
        at = member.header_offset + 30 + len(name) + member.compress_size // 2
    path.write_bytes(flipped(path.read_bytes(), at))
    return path


def test_without_its_package_the_script_says_what_to_install(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "cryptography.py").write_text("raise ModuleNotFoundError('cryptography')\n")
    words = [sys.executable, str(SCRIPT), str(whole)]
    ran = subprocess.run(
        words, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)}, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr == "needed · 需要安装：pip install cryptography\n"


def test_a_proof_of_another_entry_is_not_taken(some: Path, tmp_path: Path) -> None:
    content = members(some)
    content["entry/256"] = content["entry/255"]
    ours, code = both(written(tmp_path / "b.zip", content))
    assert ours is not None
    assert (ours.report.first_bad_index, code) == (256, 5)
    content["entry/9"], content["proof/9"] = content["entry/7"], content["proof/7"]
    del content["entry/256"], content["proof/256"]
    ours, code = both(written(tmp_path / "b.zip", content))
    assert ours is not None
    assert (ours.report.first_bad_index, code) == (9, 5)


def test_a_proof_that_names_another_index_is_not_taken(some: Path, tmp_path: Path) -> None:
    content = members(some)
    content["proof/7"] = content["proof/7"].replace(b"\nindex 7\n", b"\nindex 71\n")
    ours, code = both(written(tmp_path / "b.zip", content))
    assert ours is not None
    assert (ours.report.first_bad_index, code) == (7, 5)


def test_random_damage_of_the_file_never_passes_and_never_ends_in_a_bug(
    whole: Path, tmp_path: Path
) -> None:
    """What changes no member, such as a time in the file's directory, is no damage."""
    raw, chance, good = whole.read_bytes(), random.Random(7), members(whole)
    for _ in range(150):
        path = tmp_path / "b.zip"
        path.write_bytes(flipped(raw, chance.randrange(len(raw)), chance.randrange(8)))
        try:
            sound = verify_bundle(path).report.sound
        except Unreadable:
            continue
        if sound:
            assert all(readable(path, name) == good[name] for name in good if name != "README.txt")


def test_what_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with Writer(tmp_path / "x.zip", POLICY.text(), "note"):
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_told_from_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(Unreadable):
        verify_bundle(tmp_path / "x")
