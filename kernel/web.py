"""A small HTTP/1.1 server on threads: bounded in connections, bytes and time.

For files and short texts on an address of its own. A handler gets a request and returns an answer;
it never sees a socket. Whatever is sent to it, an answer is short, tells nothing of the inside, and
the connection ends.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

import structlog

log = structlog.get_logger(__name__)

CONNECTIONS = 64
IDLE, LIFE = 5.0, 30.0
"""Seconds that a connection may be silent, and that it may last at all."""
LONGEST_PATH = 512  # characters
TEXT = "text/plain; charset=utf-8"
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Request:
    """`encodings`: what the caller takes, as it says."""

    method: str
    path: str
    body: bytes = b""
    encodings: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers`: beside the type and the length."""

    status: int
    body: bytes = b""
    type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)


Handler = Callable[[Request], Answer]


def failed(status: HTTPStatus) -> Answer:
    """Return a short answer that says what the status says."""
    return Answer(status, f"{status.value} {status.phrase}\n".encode())


class WebServer:
    """Serves until it is stopped. `most`: bytes that a body may have; without it there is no POST."""

    def __init__(self, address: str, handler: Handler, *, most: int = 0) -> None:
        """Listen. Raises OSError, OverflowError, ValueError: the address cannot be had."""
        host, _, port = address.rpartition(":")
        self._server = _Server((host, int(port)), _connection(handler, most))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():  # else nobody would see the request to end
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], connection: type[BaseHTTPRequestHandler]) -> None:
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One too many is closed without an answer, which costs nothing."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = threading.Timer(LIFE, _cut, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is no news."""


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)


def _connection(handler: Handler, most: int) -> type[BaseHTTPRequestHandler]:
    """Return the class whose objects talk over one connection each."""
    return type("Connection", (_Connection,), {"handler": staticmethod(handler), "most": most})


class _Connection(BaseHTTPRequestHandler):
    handler: Handler
    most: int
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "luoshu", ""
    timeout = IDLE

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not self.most:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
        elif not size.isdecimal() or len(size) > 9:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif int(size) > self.most:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._answer(self.rfile.read(int(size)))

    def _answer(self, body: bytes) -> None:
        if len(self.path) > LONGEST_PATH:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        encodings = self.headers.get("Accept-Encoding", "")
        request = Request(self.command, self.path.partition("?")[0], body, encodings)
        try:
            answer = self.handler(request)
        except Exception as error:  # noqa: BLE001 - the caller is told nothing of it
            log.warning("web_failed", error=type(error).__name__)
            answer = failed(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def send_error(self, code: int, message: Any = None, explain: Any = None) -> None:
        """What the library finds wrong: an unknown method is answered as one that is not allowed."""
        known = HTTPStatus(code)
        if known is HTTPStatus.NOT_IMPLEMENTED:
            known = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True
        allow = "GET, POST" if self.most else "GET"
        answer = failed(known)
        self._send(Answer(known, answer.body, headers={"Connection": "close", "Allow": allow}))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the library
        """Nothing that a stranger sends gets into the log."""
