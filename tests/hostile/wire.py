"""HTTP/2 and gRPC as bytes, well formed or not: what a client library would not let one send."""

import struct
from base64 import b64decode
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, WINDOW = 1, 2, 3, 4
MOST_WINDOW = 2**31 - 1
FIRST_WINDOW = 65_535
LARGEST = 16_384  # bytes of a frame's body
HEAD = 9  # bytes before a frame's body
Metadata = Iterable[tuple[str, str]]


class Frame(NamedTuple):
    """One frame as it came."""

    kind: int
    flags: int
    stream: int
    body: bytes

    @property
    def ends(self) -> bool:
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)


def frame(kind: int, flags: int = 0, stream: int = 0, body: bytes = b"", length: int = -1) -> bytes:
    """Return a frame. `length`: another one than the body's, to lie about it."""
    size = len(body) if length < 0 else length
    return struct.pack(">IBBI", size & 0xFFFFFF, kind, flags, stream)[1:] + body


def frames(received: bytearray) -> Iterable[Frame]:
    """Take the whole frames out of what was received."""
    at = 0
    while len(received) - at >= HEAD:
        size = int.from_bytes(received[at : at + 3], "big")
        if len(received) - at < HEAD + size:
            break
        kind, flags, stream = struct.unpack_from(">BBI", received, at + 3)
        yield Frame(kind, flags, stream, bytes(received[at + HEAD : at + HEAD + size]))
        at += HEAD + size
    del received[:at]


def settings(**said: int) -> bytes:
    """Return a SETTINGS frame: `table_size=0`, `window=…`."""
    names = {
        "table_size": TABLE_SIZE,
        "push": ENABLE_PUSH,
        "streams": MAX_STREAMS,
        "window": WINDOW,
    }
    body = b"".join(struct.pack(">HI", names[name], value) for name, value in said.items())
    return frame(SETTINGS, body=body)


def window(amount: int, stream: int = 0) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", amount))


def greeting() -> bytes:
    """Return what a client says first. The server keeps no table of headers for it, and may send as much as it likes."""
    said = settings(table_size=0, push=0, window=MOST_WINDOW)
    return PREFACE + said + window(MOST_WINDOW - FIRST_WINDOW)


def _number(value: int, bits: int, first: int = 0) -> bytes:
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    rest, value = [first | most], value - most
    while value >= 128:
        rest.append(value % 128 + 128)
        value //= 128
    return bytes([*rest, value])


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header that no table keeps, without Huffman's code: RFC 7541, 6.2.2."""
    return b"\0" + _number(len(name), 7) + name + _number(len(value), 7) + value


def block(path: str, metadata: Metadata = (), timeout: str = "10S", method: str = "POST") -> bytes:
    """Return the headers of a gRPC call."""
    said = (
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *((("grpc-timeout", timeout),) if timeout else ()),
        *metadata,
    )
    return b"".join(literal(name.encode(), value.encode()) for name, value in said)


def message(raw: bytes, *, compressed: int = 0, length: int = -1) -> bytes:
    """Return a gRPC message. `length`: another one than its own, to lie about it."""
    return struct.pack(">BI", compressed, len(raw) if length < 0 else length) + raw


def call(stream: int, headers: bytes, raw: bytes) -> bytes:
    """Return the frames of a call with one message."""
    body = message(raw)
    parts = [body[n : n + LARGEST] for n in range(0, len(body), LARGEST)]
    sent = [frame(DATA, END_STREAM * (part is parts[-1]), stream, part) for part in parts]
    return frame(HEADERS, END_HEADERS, stream, headers) + b"".join(sent)


class Status(NamedTuple):
    """How a call ended. `code`: the number of gRPC's status, -1 without one. `details`: a google.rpc.Status, serialised."""

    code: int
    text: str = ""
    details: bytes = b""


@lru_cache(maxsize=4096)
def status(trailers: bytes) -> Status:
    """Read what ended a call: refusals are alike byte by byte, and so read once."""
    decoder = hpack.Decoder()
    decoder.header_table_size = 0
    said = dict(decoder.decode(trailers, raw=True))
    details = said.get(b"grpc-status-details-bin", b"")
    return Status(
        int(said.get(b"grpc-status", b"-1")),
        said.get(b"grpc-message", b"").decode(errors="replace"),
        b64decode(details + b"=" * (-len(details) % 4)),
    )
