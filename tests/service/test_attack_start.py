"""Starts that cannot go well are refused with a text in both languages; a stop tells whoever comes too late."""

import shutil
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from app import serve
from app.readers import audit_signers
from app.secrets import secret_of
from app.settings import ROOT, Settings, SettingsError
from tests.running import MovableClock, Running, told
from tests.service.registry_suite import APPLICANT, SAMPLES

PLATFORM = SAMPLES[0]


def platforms(folder: Path, **more: str) -> Running:
    free = {"LUOSHU_PLATFORMS_LISTEN": "127.0.0.1:0"}
    return Running(folder, ("platforms",), MovableClock(), free | more)


def refused(folder: Path, **more: str) -> str:
    """Return why a process does not start."""
    with pytest.raises(SettingsError) as wrong:
        platforms(folder, **more).start()
    text = str(wrong.value)
    assert any("\u4e00" <= sign <= "\u9fff" for sign in text), text
    return text


@pytest.mark.parametrize("content", ["", "zz", "00ff", "秘", "00" * 33])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError) as wrong:
        secret_of(Settings({"LUOSHU_DATA_DIR": str(tmp_path)}), "platforms")
    assert str(tmp_path / "secret") in str(wrong.value)
    assert not content or content not in str(wrong.value)


def test_a_secret_that_a_database_was_not_written_with_is_refused(tmp_path: Path) -> None:
    running = platforms(tmp_path).start()
    PLATFORM.create(running)
    running.stop()
    (tmp_path / "secret").write_text("ab" * 32)
    assert str(tmp_path / "secret") in refused(tmp_path)


def test_an_address_that_is_taken_is_refused(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in refused(tmp_path, LUOSHU_PLATFORMS_LISTEN=address)
        for metrics in (address, "nonsense", "127.0.0.1:99999"):
            with pytest.raises(SettingsError):
                serve.measured(metrics, "METRICS_LISTEN")


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "platforms.sqlite3").write_bytes(bytes(range(256)) * 32)
    assert "LUOSHU_PLATFORMS_DATABASE" in refused(tmp_path)


def test_an_address_of_no_database_and_a_folder_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for url in (
        "foo",
        "mysql://127.0.0.1/x",
        "postgresqlx://h/d",
        "postgresql",
        "postgresql://u@h:p/x",
    ):
        text = refused(tmp_path, LUOSHU_PLATFORMS_DATABASE=url)
        assert "LUOSHU_PLATFORMS_DATABASE is no address of a database" in text
    assert "LUOSHU_DATA_DIR" in refused(tmp_path, LUOSHU_DATA_DIR="/proc/x")


def test_an_origin_that_is_none_or_another_than_the_key_s_is_refused(tmp_path: Path) -> None:
    said = {"LUOSHU_DATA_DIR": str(tmp_path), "LUOSHU_AUDIT_ORIGIN": "bad origin"}
    with pytest.raises(SettingsError, match="LUOSHU_AUDIT_ORIGIN=bad origin"):
        audit_signers(Settings(said))
    assert not any(tmp_path.iterdir())
    (signer,) = audit_signers(Settings(said | {"LUOSHU_AUDIT_ORIGIN": "own/log"}))
    assert signer.name == "own/log"
    for origin in ("bad origin", "other/log"):
        with pytest.raises(SettingsError, match=origin):
            audit_signers(Settings(said | {"LUOSHU_AUDIT_ORIGIN": origin}))
    (again,) = audit_signers(Settings({"LUOSHU_DATA_DIR": str(tmp_path)}))
    assert again.name == "own/log"


def test_the_address_of_a_database_is_not_told(tmp_path: Path) -> None:
    text = refused(
        tmp_path, LUOSHU_PLATFORMS_DATABASE="postgresql://luoshu:geheim@127.0.0.1:1/platforms"
    )
    assert "geheim" not in text


def test_a_wrong_pack_is_refused(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(ROOT / "packs" / "henan", pack)
    with (pack / "kinds.yaml").open("a", encoding="utf-8") as file:
        file.write("  nonsense: [\n")
    assert "kinds.yaml" in refused(tmp_path / "data", LUOSHU_PACK=str(pack))


def test_who_calls_while_the_service_stops_is_told_so(tmp_path: Path) -> None:
    running = platforms(tmp_path).start()
    PLATFORM.create(running)
    codes, done = list[Any](), threading.Event()

    def call() -> None:
        while not done.is_set():
            try:
                PLATFORM.create(running)
            except grpc.RpcError as error:
                codes.append(error)
                if error.code() is not grpc.StatusCode.UNAVAILABLE:  # type: ignore[attr-defined]
                    return

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    running._loop.call_soon_threadsafe(running._stop.set)
    running._thread.join(30)
    assert not running._thread.is_alive()
    done.set()
    for caller in callers:
        caller.join(30)
    running.channel.close()
    assert "STOPPING" in {told(e).reason for e in codes if "stopping" in (e.details() or "")}


def test_every_change_that_was_acknowledged_before_a_stop_is_kept(tmp_path: Path) -> None:
    running = platforms(tmp_path).start()
    acknowledged = set[str]()

    def call() -> None:
        while True:
            try:
                acknowledged.add(PLATFORM.create(running, APPLICANT).name)
            except (grpc.RpcError, ValueError):  # refused, or the channel is closed
                return

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    while len(acknowledged) < 50:
        pass
    running.stop()
    for caller in callers:
        caller.join(30)
    kept = {name for (name,) in running.rows("platforms", "SELECT name FROM platform")}
    assert acknowledged <= kept
