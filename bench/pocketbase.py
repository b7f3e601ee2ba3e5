"""PocketBase 0.36 as it comes, for the same creates over HTTP."""

import contextlib
import json
import secrets
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from app.cluster.ports import free_port
from bench.contest import Contestant, children, over_http
from bench.peers import build
from bench.rows import platform

POCKETBASE = "PocketBase 0.36"


@contextlib.contextmanager
def pocketbase() -> Iterator[Contestant]:
    """PocketBase as it comes, with one collection of the same fields that everybody may write to."""
    with tempfile.TemporaryDirectory(prefix="luoshu-bench-") as folder:
        port, program = free_port(), str(build.pocketbase())
        said = ("--dir", f"{folder}/pb_data")  # its migrations lie beside it
        secret = secrets.token_hex(8)
        account = (program, "superuser", "upsert", "bench@example.com", secret, *said)
        subprocess.run(account, check=True, capture_output=True)
        command = (program, "serve", "--http", f"127.0.0.1:{port}", *said)
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                url = f"http://127.0.0.1:{port}/api/collections"
                token = _token(url, secret)
                _post(url, _collection(), token)
                body = json.dumps(_fields()).encode()
                yield Contestant(
                    POCKETBASE,
                    over_http(f"{url}/platforms/records", body),
                    lambda: children(process.pid),
                )
            finally:
                process.terminate()


def _fields() -> dict[str, str]:
    row = platform(1)
    names = (
        "title",
        "kind",
        "division",
        "direction",
        "supporting_unit_code",
        "supporting_unit_name",
        "abstract",
    )
    return {name: getattr(row, name) for name in names}


def _collection() -> dict[str, object]:
    fields = [{"name": name, "type": "text", "required": True} for name in _fields()]
    return {"name": "platforms", "type": "base", "fields": fields, "createRule": "", "viewRule": ""}


def _token(url: str, secret: str) -> str:
    limit = time.monotonic() + 30
    while True:
        try:
            said = {"identity": "bench@example.com", "password": secret}
            return str(_post(f"{url}/_superusers/auth-with-password", said)["token"])
        except urllib.error.URLError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def _post(url: str, said: dict[str, object] | dict[str, str], token: str = "") -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Authorization": token}
    request = urllib.request.Request(url, json.dumps(said).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))
