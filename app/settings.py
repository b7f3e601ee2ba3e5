"""The settings: one table, one file, environment variables above it.

`LUOSHU_CONFIG` names a TOML file whose keys are the settings' names without the prefix, in lower case
(`data_dir = "…"`). A variable of the environment wins over the file, the file over the default.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.catalogue import NAMES

PREFIX = "LUOSHU_"
FIRST_PORT, FIRST_METRICS_PORT = 50051, 9464
ROOT = Path(__file__).resolve().parent.parent


class SettingsError(ValueError):
    """A setting cannot be used; the text says what would work, in both languages."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name without the prefix, its default, what it is for in both languages, and what it may be, where
    that is a choice.
    """

    name: str
    default: str
    en: str
    zh: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it came from: `default`, the file's path, or `environment`."""

    setting: Setting
    value: str
    source: str


def table() -> tuple[Setting, ...]:
    """Return every setting there is, in the order in which they are printed."""
    return (*_GENERAL, *(setting for service in NAMES for setting in _of_service(service)))


_GENERAL = (
    Setting("CONFIG", "", "TOML file with settings", "设置文件（TOML）"),
    Setting("DATA_DIR", "luoshu-data", "folder of the databases and keys", "数据库与密钥所在目录"),
    Setting("PACK", str(Path("packs") / "henan"), "folder of the policy pack", "政策包目录"),
    Setting("LISTEN", f"127.0.0.1:{FIRST_PORT}", "gRPC address of all services in one process", "单进程 gRPC 地址"),
    Setting("METRICS_LISTEN", f"127.0.0.1:{FIRST_METRICS_PORT}", "metrics address of that process", "单进程指标地址"),
    Setting("SECRET_FILE", "", "file of the 32-byte secret; empty: <DATA_DIR>/secret", "主密钥文件；留空为数据目录下 secret"),
    Setting("AUDIT_KEY_FILE", "", "signing key of the log; empty: in DATA_DIR", "审计日志签名密钥；留空在数据目录下"),
    Setting("AUDIT_ORIGIN", "luoshu.henan/log", "origin line of the log's checkpoints", "审计日志检查点的来源名"),
    Setting("AUDIT_SM_ORIGIN", "", "origin of a second log, SM3 and SM2; empty: none", "国密第二日志的来源名；留空不启用"),
    Setting("AUDIT_HTTP_LISTEN", "127.0.0.1:8464", "HTTP address of the log's files, or off", "审计日志文件的 HTTP 地址，或 off"),
    Setting("AUDIT_WITNESSES", "", "file of the witnesses (C2SP tlog-policy)", "见证方文件（C2SP tlog-policy）"),
    Setting("WITNESS_LISTEN", "127.0.0.1:8465", "HTTP address of `luoshu witness`", "见证进程的 HTTP 地址"),
    Setting("WITNESS_METRICS_LISTEN", "127.0.0.1:9475", "metrics address of `luoshu witness`", "见证进程的指标地址"),
    Setting("WITNESS_LOGS", "", "file of the logs that a witness trusts (tlog-policy)", "见证方所信任日志的文件"),
    Setting("KAFKA", "", "brokers, host:port,…; empty: the journals are the bus", "Kafka 地址；留空则以日志为总线"),
    Setting("FRONT", "grpcio", "gRPC server: grpcio, or native (an extra)", "gRPC 服务器"),
    Setting("PROCESSOR", "one", "one: Python's threads keep to one processor; any: they may not", "Python 线程固定在同一处理器",
            ("one", "any")),
    Setting("DEVELOPMENT_IDENTITY", "off", "on: believe callers' metadata on any address", "on：任何地址均相信自报身份",
            ("on", "off")),
    Setting("LOG_LEVEL", "info", "debug, info, warning or error", "日志级别", ("debug", "info", "warning", "error")),
    Setting("LOG_FORMAT", "auto", "json, console, or auto: console on a terminal", "日志格式", ("json", "console", "auto")),
)  # fmt: skip


def _of_service(service: str) -> tuple[Setting, ...]:
    upper, listen = service.upper(), f"127.0.0.1:{FIRST_PORT + NAMES.index(service)}"
    metrics = f"127.0.0.1:{FIRST_METRICS_PORT + NAMES.index(service)}"
    return (
        Setting(f"{upper}_DATABASE", "", f"database of {service}; empty: SQLite", f"{service} 的数据库；留空用 SQLite"),
        Setting(f"{upper}_LISTEN", listen, f"gRPC address of {service} alone", f"{service} 单独运行时的 gRPC 地址"),
        Setting(f"{upper}_METRICS_LISTEN", metrics, f"metrics address of {service} alone", f"{service} 单独运行时的指标地址"),
        Setting(f"{upper}_ADDRESS", "", f"where others find {service}; empty: its LISTEN", f"{service} 的地址；留空同 LISTEN"),
    )  # fmt: skip


class Settings:
    """Every setting with its value. `environment`: as `os.environ`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        known = table()
        path = environment.get(f"{PREFIX}CONFIG", "")
        file = _read(path, {setting.name.lower() for setting in known})
        self.values = {s.name: _value(s, environment, file, path) for s in known}
        unknown = sorted(
            n
            for n in environment
            if n.startswith(PREFIX) and n[len(PREFIX) :] not in self.values and n not in CLIENT
        )
        self.unknown = tuple(unknown)

    def __getitem__(self, name: str) -> str:
        return self.values[name].value

    @property
    def data_dir(self) -> Path:
        return Path(self["DATA_DIR"]).absolute()

    @property
    def pack(self) -> Path:
        """The pack's folder; a relative one is looked for here, then beside the code."""
        here = Path(self["PACK"])
        return here if here.is_absolute() or here.exists() else ROOT / here

    def database(self, service: str) -> str:
        url = self[f"{service.upper()}_DATABASE"]
        return url or f"sqlite:///{self.data_dir / service}.sqlite3"

    def listen(self, service: str) -> str:
        return self[f"{service.upper()}_LISTEN"]

    def metrics_listen(self, service: str) -> str:
        return self[f"{service.upper()}_METRICS_LISTEN"]

    def address(self, service: str) -> str:
        return self[f"{service.upper()}_ADDRESS"] or self.listen(service)

    @property
    def believes_anywhere(self) -> bool:
        return self["DEVELOPMENT_IDENTITY"] == "on"


CLIENT = frozenset(
    {
        "LUOSHU_ADDRESS",
        "LUOSHU_AS",
        "LUOSHU_ROLES",
        "LUOSHU_COMPLETE",
        "LUOSHU_LANGUAGE",
        "LUOSHU_KAFKA_LIBS",
    }
)
"""Variables that only the command reads."""


def load() -> Settings:
    """Return the settings of this process. Raises SettingsError."""
    return Settings(os.environ)


def _read(path: str, known: set[str]) -> dict[str, str]:
    if not path:
        return {}
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}) / {path}：无法读取（{error.strerror}）；见 LUOSHU_CONFIG"
        ) from None
    except ValueError as error:  # no TOML, or no text at all
        raise SettingsError(
            f"{path}: is no TOML: {error} / {path}：不是有效的 TOML：{error}"
        ) from None
    unknown = sorted(set(content) - known)
    if unknown:
        raise SettingsError(
            f"{path}: no setting {unknown[0]}; see `luoshu settings` / 没有设置项 {unknown[0]}，见 `luoshu settings`"
        )
    return {name: str(value) for name, value in content.items()}


def _value(
    setting: Setting, environment: Mapping[str, str], file: dict[str, str], path: str
) -> Value:
    if PREFIX + setting.name in environment:
        return _chosen(Value(setting, environment[PREFIX + setting.name], "environment"))
    if setting.name.lower() in file:
        return _chosen(Value(setting, file[setting.name.lower()], path))
    return Value(setting, setting.default, "default")


def _chosen(value: Value) -> Value:
    """Return the value. Raises SettingsError: it is none of those that there are."""
    choices = value.setting.choices
    if choices and value.value not in choices:
        name = f"{PREFIX}{value.setting.name}"
        raise SettingsError(
            f"{name}={value.value}: there is no such choice; set it to {', '.join(choices)} / "
            f"{name}={value.value}：没有该选项；可设为 {'、'.join(choices)}"
        )
    return value


def shown(settings: Settings) -> dict[str, str]:
    """Return the settings that are not as they are by default, as they may be shown: without passwords."""
    told = (v for v in settings.values.values() if v.value != v.setting.default)
    return {f"{PREFIX}{v.setting.name}": without_password(v.value) for v in told}


def without_password(value: str) -> str:
    return re.sub(r"(://[^:/@]+):[^@]*@", r"\1:***@", value)


def print_all() -> None:
    """Print every setting, its value and where it came from; a password in a database's address is not shown."""
    values = load().values.values()
    width = max(len(PREFIX + v.setting.name) for v in values)
    for value in values:
        text = without_password(value.value) or '""'
        print(f"{PREFIX + value.setting.name:<{width}}  {text}  [{value.source}]")
        print(f"{'':<{width}}  {value.setting.en} / {value.setting.zh}")
