"""Files, spans, columns and settings of the command line: what cannot be meant is refused before any work."""

import datetime
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf.timestamp_pb2 import Timestamp

from app.cli import cli
from app.cli.failures import Failure, run
from app.cli.files import style_of, text_of
from app.cli.output import SHANGHAI
from app.cli.session import Session
from app.cli.values import moment_of, set_span
from app.settings import Settings, SettingsError
from luoshu.audit.v1 import audit_pb2
from luoshu.client import Invalid, connect
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2
from luoshu.funding.v1.funding_pb2_grpc import FundingServiceStub
from tests.service import audit_bundles
from tests.service.audit_bundles import SIGNER, WITNESSES

Finish = Callable[..., tuple[int, str]]


@pytest.fixture
def finish(capsys: pytest.CaptureFixture[str]) -> Finish:
    """Run the command line; return the exit code and what it complained of."""

    def finished(*words: object) -> tuple[int, str]:
        code = run(cli, [str(word) for word in words])
        return code, capsys.readouterr().err

    return finished


WRITING = (
    ("audit", "export", "--out", "{}.zip"),
    ("audit", "did", "li", "--out", "{}.csv"),
    ("report", "2026-10", "-o", "html", "--out", "{}.html"),
    ("statement", "DIIT", "-o", "xlsx", "--out", "{}.xlsx"),
    ("import", "platforms", "{here}", "--report", "{}.csv"),
)


@pytest.mark.parametrize("words", WRITING)
def test_a_file_that_cannot_be_written_is_refused_before_any_call(
    finish: Finish, tmp_path: Path, words: tuple[str, ...]
) -> None:
    here = tmp_path / "rows.csv"
    here.write_text("title\n")
    given = [word.format(tmp_path / "no" / "x", here=here) for word in words]
    code, said = finish("--address", "127.0.0.1:1", *given)
    assert code == 2
    assert f"there is no folder {tmp_path / 'no'}" in said
    assert f"没有目录 {tmp_path / 'no'}" in said


def test_a_folder_is_no_file_to_write_to(finish: Finish, tmp_path: Path) -> None:
    code, said = finish("audit", "export", "--out", tmp_path)
    assert code == 2
    assert "it is a folder" in said


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("report", "2026-10"), ".json or .html or .xlsx"),
        (("statement", "DIIT"), ".json or .xlsx"),
        (("audit", "unseconded"), ".csv or .json"),
    ],
)
def test_an_ending_that_tells_no_format_is_refused(
    finish: Finish, tmp_path: Path, words: tuple[str, ...], known: str
) -> None:
    code, said = finish(*words, "--out", tmp_path / "s.txt")
    assert code == 2
    assert known in said
    assert not any(tmp_path.iterdir())


def test_the_ending_tells_the_format_and_what_is_said_wins() -> None:
    styles = ("json", "xlsx")
    assert style_of(Path("a.XLSX"), None, styles) == "xlsx"
    assert style_of(Path("a.txt"), "json", styles) == "json"
    assert style_of(None, None, styles) is None
    with pytest.raises(Failure):
        style_of(Path("a.json"), "table", styles)


def test_only_a_month_s_report_is_written_to_a_file(finish: Finish, tmp_path: Path) -> None:
    for words in ((), ("--board",)):
        code, said = finish("report", *words, "--out", tmp_path / "x.xlsx")
        assert code == 2
        assert "luoshu report 2026-03 --out FILE.xlsx" in said


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "x", tmp_path / "none", tmp_path):
        with pytest.raises(Failure, match=str(path)):
            text_of(path)


def test_a_span_is_from_the_beginning_of_a_day_to_before_the_beginning_of_another() -> None:
    asked = audit_pb2.AskEntriesRequest()
    set_span(asked, "2026-03-01", "2026-04-01")
    assert at(asked.start_time) == datetime.datetime(2026, 3, 1, tzinfo=SHANGHAI)
    assert at(asked.end_time) == datetime.datetime(2026, 4, 1, tzinfo=SHANGHAI)
    set_span(asked, "today", None)
    today = datetime.datetime.now(SHANGHAI).date()
    assert at(asked.start_time) == datetime.datetime.combine(today, datetime.time.min, SHANGHAI)
    assert at(moment_of("2026-03-01")).time() == datetime.time.max


def at(stamp: Timestamp) -> datetime.datetime:
    return stamp.ToDatetime(datetime.UTC).astimezone(SHANGHAI)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    log = audit_bundles.log_at(tmp_path / "audit.db")
    note = audit_bundles.cosigned(audit_bundles.notes_of(log)[-1], "DRC", "DIIT")
    return audit_bundles.whole(log, tmp_path / "all.zip", note)


def test_a_bundle_is_held_to_the_key_that_is_given(
    finish: Finish, bundle: Path, tmp_path: Path
) -> None:
    own, other = SIGNER.verifier.encoded(), WITNESSES["DRC"].verifier.encoded()
    (tmp_path / "log.key").write_text(f"{own}\n")
    assert finish("audit", "verify", bundle, "--key", own)[0] == 0
    assert finish("audit", "verify", bundle, "--key", tmp_path / "log.key")[0] == 0
    stranger = type(SIGNER)(SIGNER.name, bytes(range(1, 33))).verifier.encoded()
    code, said = finish("audit", "verify", bundle, "--key", stranger)
    assert code == 5
    assert "a checkpoint is not signed by the log's key" in said
    code, said = finish("audit", "verify", bundle, "--key", other)
    assert code == 2
    assert "is no log's but a witness's" in said
    code, said = finish("audit", "verify", bundle, "--key", "nonsense")
    assert code == 2
    assert "核验公钥无效" in said


def test_an_option_that_says_nothing_of_a_bundle_or_of_the_live_log_is_refused(
    finish: Finish, bundle: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(audit_bundles.POLICY.text())
    verify = ("audit", "verify")
    for option in ("--journal", "--suite"):
        code, said = finish(*verify, bundle, option, "sm3-sm2")
        assert code == 2
        assert f"leave {option} out" in said
        assert f"去掉 {option}" in said
    both = finish(*verify, bundle, "--policy", policy, "--key", SIGNER.verifier.encoded())
    assert both[0] == 2
    assert finish(*verify, bundle, "--policy", policy)[0] == 0
    code, said = finish("--address", "127.0.0.1:1", *verify, "--policy", policy)
    assert code == 2
    assert "--policy is for a bundle" in said


def test_a_file_that_is_no_policy_and_no_checkpoint_is_blamed_itself(
    finish: Finish, bundle: Path, tmp_path: Path
) -> None:
    key = tmp_path / "log.key"
    key.write_text(SIGNER.verifier.encoded())
    code, said = finish("audit", "verify", bundle, "--policy", key)
    assert code == 2
    assert f"{key} is no policy" in said
    assert "--key" in said
    for words in (("--policy", bundle), ("--kept", bundle)):
        code, said = finish("audit", "verify", bundle, *words)
        assert code == 2
        assert f"{bundle} is no text" in said
    code, said = finish("--address", "127.0.0.1:1", "audit", "verify", "--kept", bundle)
    assert code == 2
    assert f"{bundle} is no text" in said


def test_a_bundle_without_entries_is_told_from_one_that_holds(
    finish: Finish, bundle: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(bundle) as good, zipfile.ZipFile(tmp_path / "none.zip", "w") as none:
        for name in ("policy", "checkpoint"):
            none.writestr(name, good.read(name))
    _, said = finish("audit", "verify", tmp_path / "none.zip")
    assert "it has no entry" in said
    assert "it has no entry" not in finish("audit", "verify", bundle)[1]


@pytest.mark.parametrize(
    ("column", "known"),
    [
        ("foo", "lead_department"),
        ("contact", "contact.name"),
        ("contact.foo", "phone"),
        ("title.foo", "none"),
        ("title[0]", "title"),
    ],
)
def test_a_column_that_no_record_has_is_refused(finish: Finish, column: str, known: str) -> None:
    code, said = finish(
        "--address", "127.0.0.1:1", "list", "platforms", "--columns", f"name,{column}"
    )
    assert code == 2
    assert known in said


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("LOG_LEVEL", "debug, info, warning, error"),
        ("LOG_FORMAT", "json, console, auto"),
        ("DEVELOPMENT_IDENTITY", "on, off"),
    ],
)
def test_a_setting_that_is_none_of_its_choices_is_refused(
    tmp_path: Path, name: str, known: str
) -> None:
    with pytest.raises(SettingsError, match=known):
        Settings({f"LUOSHU_{name}": "maybe"})
    file = tmp_path / "luoshu.toml"
    file.write_text(f"{name.lower()} = true\n")
    with pytest.raises(SettingsError, match=known):
        Settings({"LUOSHU_CONFIG": str(file)})
    assert Settings({f"LUOSHU_{name}": known.split(", ")[1]})[name] == known.split(", ")[1]


def test_a_service_that_the_address_does_not_name_is_asked_for() -> None:
    with connect("platforms=127.0.0.1:1", department="DST", actor="li") as client:
        stub = FundingServiceStub(client.channel)
        with pytest.raises(Invalid, match="no address for funding"):
            stub.ListCalls(funding_pb2.ListCallsRequest())
        with pytest.raises(Invalid, match="no address for funding"):
            next(iter(stub.WatchCalls(funding_pb2.WatchCallsRequest())))


def test_a_rebuild_of_what_is_not_there_makes_nothing(
    finish: Finish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUOSHU_DATA_DIR", str(tmp_path / "nowhere"))
    code, said = finish("rebuild", "reports", "--verify")
    assert code == 1
    assert f"no database of reports in {tmp_path / 'nowhere'}; set LUOSHU_DATA_DIR" in said
    assert not os.path.lexists(tmp_path / "nowhere")
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "reports.sqlite3").touch()  # as an earlier release left it
    code, said = finish("rebuild", "reports", "--verify")
    assert code == 1
    assert "no database of reports" in said


def test_a_watch_says_that_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = list[Any]()
    monkeypatch.setattr(
        "app.cli.watching.follow", lambda call, request: watched.append(request) or []
    )
    monkeypatch.setattr("app.cli.inbox.follow", lambda call, request: watched.append(request) or [])
    calls = SimpleNamespace(
        WatchInbox=None, ListInbox=lambda request: pb.ListInboxResponse(position=7)
    )
    monkeypatch.setattr("app.cli.inbox.owed", lambda session: [])
    with connect("127.0.0.1:1", department="DST", actor="li") as client:
        client.__dict__["coordination"] = calls
        for words in (("watch", "platforms", "--after", "9"), ("inbox", "--watch")):
            done = CliRunner().invoke(cli, ["--as", "DST", *words], obj=Session(clients=[client]))
            assert "Ctrl-C to stop · 正在跟踪" in done.stderr
            assert "Ctrl-C" not in done.stdout
    assert [request.after_position for request in watched] == [9, 7]
