"""The small HTTP server: what strangers send is answered shortly, and ends."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kernel import web
from kernel.web import Answer, Request, WebServer

MOST = 100


def answer(request: Request) -> Answer:
    if request.path == "/broken":
        raise RuntimeError("secret inside")
    return Answer(200, f"{request.method} {request.path} {len(request.body)}\n".encode())


@pytest.fixture(params=[0, MOST], ids=["GET only", "GET and POST"])
def most(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def port(most: int) -> Iterator[int]:
    server = WebServer("127.0.0.1:0", answer, most=most)
    server.start()
    yield server.port
    server.stop()


def told(port: int, raw: bytes, *, end: bool = True) -> bytes:
    """Send raw bytes and return all that comes back until the server ends it."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        parts = []
        try:
            connection.sendall(raw)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                parts.append(part)
        except TimeoutError:
            raise
        except OSError:  # the server has ended it already
            pass
    return b"".join(parts)


def status(port: int, raw: bytes) -> int:
    said = told(port, raw)
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/") else 0


def test_one_connection_carries_several_requests(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for path in ("/a", "/b?c=d"):
        connection.request("GET", path)
        assert connection.getresponse().read().decode() == f"GET {path.split('?')[0]} 0\n"
    connection.close()


def test_a_body_is_read_where_there_may_be_one(port: int, most: int) -> None:
    raw = b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    assert status(port, raw) == (200 if most else 405)


HOSTILE = {
    "nothing": (b"", {0}),
    "noise": (bytes(range(256)) * 10, {0, 400}),
    "no version": (b"GET /\r\n\r\n", {0, 200, 400}),
    "version 9": (b"GET / HTTP/9.9\r\n\r\n", {0, 505}),
    "a path of 60 000": (b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\n\r\n", {414}),
    "a path of 1 000": (b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\n\r\n", {414}),
    "a line without end": (b"GET /" + b"a" * 70_000, {0, 414}),
    "a thousand headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n", {431}),
    "a long header": (b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", {431}),
    "PUT": (b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", {405}),
    "DELETE": (b"DELETE / HTTP/1.1\r\n\r\n", {405}),
    "HEAD": (b"HEAD / HTTP/1.1\r\n\r\n", {405}),
    "an unknown method": (b"__init__ / HTTP/1.1\r\n\r\n", {405}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {0, 405, 505}),
    "TLS": (bytes.fromhex("16030100a5010000a10303"), {0, 400}),
    "a bug": (b"GET /broken HTTP/1.1\r\n\r\n", {500}),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_stranger_sends_is_answered_shortly_and_tells_nothing(port: int, what: str) -> None:
    raw, expected = HOSTILE[what]
    said = told(port, raw)
    found = int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/") else 0
    assert found in expected
    assert len(said) < 500
    assert b"secret" not in said
    assert b"Traceback" not in said
    assert status(port, b"GET /after HTTP/1.1\r\n\r\n") == 200


@pytest.mark.parametrize("most", [MOST], indirect=True)
@pytest.mark.parametrize(
    ("length", "expected"),
    [(b"101", 413), (b"999999999999", 411), (b"-1", 411), (b"0x10", 411), (b"", 411)],
)
def test_a_body_is_bounded(port: int, length: bytes, expected: int) -> None:
    assert (
        status(port, b"POST /x HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\nhi") == expected
    )


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def is_cut(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"G")
    except OSError:
        return True
    return False


def test_a_silent_caller_and_one_that_drips_are_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web._Connection, "timeout", 0.5)
    monkeypatch.setattr(web, "LIFE", 1.0)
    server = WebServer("127.0.0.1:0", answer)
    server.start()
    started = time.monotonic()
    assert told(server.port, b"GET / HT", end=False) == b""  # silent: cut after IDLE
    with socket.create_connection(("127.0.0.1", server.port), 10) as dripping:
        assert within(20, lambda: is_cut(dripping))
    assert time.monotonic() < started + 15
    server.stop()


def test_connections_past_the_bound_are_closed_and_the_server_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web, "CONNECTIONS", 3)
    server = WebServer("127.0.0.1:0", answer)
    server.start()
    held = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(3)]
    assert within(5, lambda: told(server.port, b"GET / HTTP/1.1\r\n\r\n") == b"")
    for connection in held:
        connection.close()
    assert within(10, lambda: status(server.port, b"GET / HTTP/1.1\r\n\r\n") == 200)
    server.stop()


def test_it_stops_though_it_never_started() -> None:
    server = WebServer("127.0.0.1:0", answer)
    ending = threading.Thread(target=server.stop)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()
