"""Links between processes that can be spoiled: each leads through a toxiproxy of its own."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.cluster.ports import HOST, Missing, answers, free_port
from tests.flow.separate import until

UPSTREAM, DOWNSTREAM = "upstream", "downstream"  # to the server, to the client


@dataclass(frozen=True)
class Toxic:
    """What is wrong with a link. `kind`: toxiproxy's, or `down`: nobody listens, and what was connected is cut."""

    kind: str
    stream: str = DOWNSTREAM
    attributes: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.stream}"


DOWN = Toxic("down")
SLOW = Toxic("latency", attributes={"latency": 1500, "jitter": 500})  # ms
RESET = Toxic("reset_peer", attributes={"timeout": 200})  # ms until a connection is reset
SILENT = Toxic("timeout", attributes={"timeout": 1000})  # says nothing for so many ms, then closes
CHOKED = Toxic("bandwidth", attributes={"rate": 1})  # KB a second
SLICED = Toxic("slicer", attributes={"average_size": 7, "size_variation": 3, "delay": 200})  # µs
CUT = Toxic("limit_data", attributes={"bytes": 900})  # then closed
LINGERING = Toxic("slow_close", attributes={"delay": 1000})  # ms
FEW = (DOWN, SLOW, RESET)
MANY = tuple(
    Toxic(toxic.kind, stream, toxic.attributes)
    for toxic in (DOWN, SLOW, RESET, SILENT, CHOKED, SLICED, CUT, LINGERING)
    for stream in (DOWNSTREAM, UPSTREAM)
)


@dataclass(frozen=True)
class Link:
    """A way to a server. `port`: where clients connect."""

    api: int
    name: str
    port: int

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @contextmanager
    def spoiled(self, toxic: Toxic) -> Iterator[None]:
        """While the block runs something is wrong with it."""
        here = f"/proxies/{self.name}"
        if toxic.kind == "down":
            wrong, right = (
                partial(_ask, self.api, "POST", here, {"enabled": False}),
                partial(_ask, self.api, "POST", here, {"enabled": True}),
            )
        else:
            told = {"name": "it", "type": toxic.kind, "stream": toxic.stream, "toxicity": 1.0}
            wrong = partial(
                _ask,
                self.api,
                "POST",
                f"{here}/toxics",
                {**told, "attributes": dict(toxic.attributes)},
            )
            right = partial(_ask, self.api, "DELETE", f"{here}/toxics/it")
        wrong()
        try:
            yield
        finally:
            right()


@dataclass(frozen=True)
class Proxies:
    """A toxiproxy. `api`: the port that it is told things at."""

    api: int

    def link(self, name: str, server: str, port: int = 0) -> Link:
        """Make a way to a server at `host:port`. `port`: where clients connect, if it must be known before."""
        made = Link(self.api, name, port or free_port())
        _ask(
            self.api, "POST", "/proxies", {"name": name, "listen": made.address, "upstream": server}
        )
        return made


@contextmanager
def proxies() -> Iterator[Proxies]:
    """Raises Missing."""
    program = shutil.which("toxiproxy-server")
    if program is None:
        raise Missing(
            "no toxiproxy-server: tools/go_tool builds it, see tools/live",
            "没有 toxiproxy-server：由 tools/go_tool 构建，见 tools/live",
        )
    api = free_port()
    command = [program, "-host", HOST, "-port", str(api)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(api), "toxiproxy")
        yield Proxies(api)
    finally:
        process.terminate()
        process.wait(30)


def _ask(port: int, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", data, method=method)
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=30).close()
