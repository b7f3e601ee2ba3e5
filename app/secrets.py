"""The keys of an installation: made at the first start, in files that only their owner can read."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from app.settings import Settings, SettingsError

SIZE = 32  # bytes


def secret_file(settings: Settings) -> Path:
    return Path(settings["SECRET_FILE"] or settings.data_dir / "secret")


def secret_of(settings: Settings, service: str) -> bytes:
    """Return a service's secret, derived from the installation's one. Raises SettingsError: the file holds none."""
    path = secret_file(settings)
    root = _bytes(kept(path, lambda: secrets.token_hex(SIZE)))
    if len(root) != SIZE:
        raise SettingsError(
            f"{path} is no secret: {2 * SIZE} hexadecimal digits; restore it from the backup / "
            f"{path} 不是有效的主密钥（应为 {2 * SIZE} 位十六进制数）；请从备份恢复"
        )
    return hmac.digest(root, service.encode(), hashlib.sha256)


def wrong_secret(settings: Settings, service: str) -> SettingsError:
    """Return what is said where a database was written with another secret."""
    path = secret_file(settings)
    return SettingsError(
        f"{path} is not the secret that the database of {service} was written with; restore it from the backup / "
        f"{path} 不是写入 {service} 数据库时所用的主密钥；请从备份恢复"
    )


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def audit_key(settings: Settings) -> Path:
    return Path(settings["AUDIT_KEY_FILE"] or settings.data_dir / "audit.key")


def sm_key(settings: Settings) -> Path:
    """Return the file of the second log's key: beside the first's, with `-sm` behind its name."""
    first = audit_key(settings)
    return first.with_name(f"{first.stem}-sm{first.suffix}")


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return a file's text; where there is none, make it and keep it, synced, before it is used."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails where another process was first: then its key counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii", errors="replace").strip()
