"""`make run`: starts everything, on the first start with the sample and a story, shows it, and serves."""

import asyncio
import contextlib
import datetime
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import click
import structlog
import uvloop
from prometheus_client import start_http_server

from app import logs
from app.catalogue import NAMES
from app.demo import first, results
from app.demo.stage import Stopped
from app.demo.telling import Teller
from app.serve import Process, now
from app.settings import ROOT, Settings, SettingsError
from kernel import metrics
from kernel.dates import business_date

LOG = "luoshu.log"
FAILED, TAKEN = 1, 3
"""Exit codes: something went wrong; an address is taken. 0 is a clean stop, 2 a wrong option."""
HONOURED = ("DATA_DIR", "LISTEN", "METRICS_LISTEN", "AUDIT_HTTP_LISTEN", "PACK", "LOG_LEVEL")
"""Settings of the environment that count here; the databases are always SQLite files."""


def settings_of(environment: Mapping[str, str], **options: str) -> Settings:
    """Return the demonstration's settings: options, then the environment, then our defaults."""
    own = {"LUOSHU_DATA_DIR": str(_near(ROOT / "var"))}
    for name in HONOURED:
        if value := environment.get(f"LUOSHU_{name}"):
            own[f"LUOSHU_{name}"] = value
    return Settings(own | {f"LUOSHU_{name}": value for name, value in options.items() if value})


def _near(path: Path) -> Path:
    """Return a path as a person here would write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def taken(*addresses: str) -> list[str]:
    """Return the addresses that cannot be listened on."""
    return [address for address in addresses if not _is_free(address)]


def _is_free(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError:
            return False
    return True


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--port", type=int, help="gRPC port on this machine; 50051. · gRPC 端口")
@click.option("--metrics-port", type=int, help="Metrics port on this machine; 9464. · 指标端口")
@click.option("--files-port", type=int, help="Port of the audit log's files; 8464. · 审计文件端口")
@click.option("--data", help="Folder of the data; ./var. · 数据目录")
def main(
    port: int | None, metrics_port: int | None, files_port: int | None, data: str | None
) -> None:
    """Start the demonstration: all services in one process. · 启动演示：全部服务在一个进程内。"""
    settings = settings_of(
        os.environ,
        LISTEN=f"127.0.0.1:{port}" if port is not None else "",
        METRICS_LISTEN=f"127.0.0.1:{metrics_port}" if metrics_port is not None else "",
        AUDIT_HTTP_LISTEN=f"127.0.0.1:{files_port}" if files_port is not None else "",
        DATA_DIR=data or "",
    )
    sys.exit(start(settings))


OTHERS = "--port 50061 --metrics-port 9474 --files-port 8474"


def start(settings: Settings) -> int:
    """Run until somebody stops it. Returns the exit code."""
    tell = Teller()
    busy = taken(*(settings[name] for name in ("LISTEN", "METRICS_LISTEN", "AUDIT_HTTP_LISTEN")))
    if busy:
        tell.say(
            f"地址 {'、'.join(busy)} 已被占用，未启动。请停止占用者，或换端口：make run ARGS='{OTHERS}'",
            f"{', '.join(busy)} is taken; nothing was started. Stop what listens there, or take other ports:"
            f" make run ARGS='{OTHERS}'",
            "red",
        )
        return TAKEN
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / LOG).open("a", encoding="utf-8", buffering=1) as log:
        logs.configure(settings["LOG_LEVEL"], "json")
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=log))
        return _run(settings, tell, log)


def _run(settings: Settings, tell: Teller, log: TextIO) -> int:
    try:
        uvloop.run(_until_told(settings, tell))
    except (Stopped, KeyboardInterrupt):
        tell.say(
            "已停止；首次启动未完成，下次从头开始。",
            "Stopped; the first start was not over and begins anew.",
        )
    except SettingsError as error:
        tell.say(str(error), "", "red")
        return FAILED
    except Exception as error:  # noqa: BLE001 - said in one line; how it came is in the log file
        traceback.print_exc(file=log)
        where = settings.data_dir / LOG
        tell.say(f"出错：{error!r}；详见 {where}", f"It failed: {error!r}; see {where}", "red")
        return FAILED
    return 0


async def _until_told(settings: Settings, tell: Teller) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, tell, stop)


async def run(settings: Settings, tell: Teller, stop: asyncio.Event) -> None:
    """Build what a first start shows, then serve, show, and go on serving until told to stop."""
    today = business_date(now())
    _greet(settings, tell)
    if first.is_first(settings.data_dir):
        await first.build(settings, tell, today, stop.is_set)
    else:
        tell.say("数据已在，保留不动。", "The data are there and are kept.")
    process = Process(settings, NAMES)
    await process.start()
    try:
        with _measured(settings):
            await _shown(process, settings, tell, today)
            tell.console.print("\n  按 Ctrl-C 停止 · Ctrl-C to stop", style="bold")
            await stop.wait()
    finally:
        await process.stop()
    tell.say("已停止，数据保留。", "Stopped; the data are kept.")


def _greet(settings: Settings, tell: Teller) -> None:
    tell.title(
        "[bold]洛书 Luoshu[/bold]",
        "省级科技创新平台、关键技术与科技经费的登记、评审、拨付与审计",
        "platforms, technologies and funding of a province: registered, reviewed, paid, audited",
        f"[dim]{settings['LISTEN']} gRPC · {settings['METRICS_LISTEN']} metrics · {settings['DATA_DIR']}[/dim]",
    )


@contextlib.contextmanager
def _measured(settings: Settings) -> Iterator[None]:
    host, port = settings["METRICS_LISTEN"].rsplit(":", 1)
    server, _ = start_http_server(int(port), host, metrics.REGISTRY)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


async def _shown(process: Process, settings: Settings, tell: Teller, today: datetime.date) -> None:
    address = f"{settings['LISTEN'].rsplit(':', 1)[0]}:{process.port}"
    folder = Path(settings["DATA_DIR"]) / "reports"
    await first.in_own_thread(results.show, address, folder, today, tell)
    results.next_steps(address, today, tell)
