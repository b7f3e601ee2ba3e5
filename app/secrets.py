"""The keys of an installation: made at the first start, in files that only their owner can read."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from app.settings import Settings

SIZE = 32  # bytes


def secret_of(settings: Settings, service: str) -> bytes:
    """Return a service's secret, derived from the installation's one."""
    path = Path(settings["SECRET_FILE"] or settings.data_dir / "secret")
    root = bytes.fromhex(kept(path, lambda: secrets.token_hex(SIZE)))
    return hmac.digest(root, service.encode(), hashlib.sha256)


def audit_key(settings: Settings) -> Path:
    return Path(settings["AUDIT_KEY_FILE"] or settings.data_dir / "audit.key")


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
    return path.read_text(encoding="ascii").strip()
