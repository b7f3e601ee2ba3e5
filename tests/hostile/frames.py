"""Connections that break HTTP/2, its headers' compression, or gRPC's own framing; the server may say so or hang up."""

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

import hpack

from tests.hostile import wire
from tests.hostile.wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    MOST_WINDOW,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    frame,
    greeting,
    literal,
    message,
    window,
)

PATH = "/luoshu.platforms.v1.PlatformService/GetPlatform"
WHO = (("luoshu-actor", "wang"), ("luoshu-department", "DST"), ("luoshu-roles", "auditor"))
NAME = b"\x0a\x0bplatforms/x"
GET = block(PATH, WHO)
QUIET, LONGEST = 0.3, 5.0  # seconds without a byte, after which a connection is left; and at most
TOGETHER = 16
FLOOD = 200
LEAKS = (b"Traceback", b"sqlite", b"sqlalchemy", b'.py"', b"Exception:")
Script = Callable[[Random], bytes]


def _open(body: bytes) -> bytes:
    return greeting() + body


def _call(headers: bytes, body: bytes, stream: int = 1) -> bytes:
    return _open(frame(HEADERS, END_HEADERS, stream, headers) + body)


def noise(dice: Random) -> bytes:
    return dice.randbytes(dice.choice((1, 24, 500, 20_000)))


def another_protocol(dice: Random) -> bytes:
    return dice.choice(
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(500),
            b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS),
            PREFACE[: dice.randrange(1, 24)],
            PREFACE + frame(PING, body=bytes(8)),
            PREFACE * 3,
            b"SSH-2.0-OpenSSH_9.6\r\n",
        )
    )


def odd_settings(dice: Random) -> bytes:
    said = dice.choice(
        (
            b"\0\x04\xff\xff\xff\xff",
            b"\0\x05\0\0\0\0",
            b"\0\x05\xff\xff\xff\xff",
            b"\0\x02\0\0\0\x09",
            b"\0\x01\xff\xff\xff\xff",
            b"\xff\xff\0\0\0\0" * 100,
            b"\0\x03\0",
        )
    )
    return (
        PREFACE
        + frame(SETTINGS, dice.choice((0, ACK)), dice.choice((0, 1)), said)
        + frame(SETTINGS)
    )


def odd_windows(dice: Random) -> bytes:
    update = dice.choice(
        (
            window(0),
            window(MOST_WINDOW) * 3,
            window(5, 99),
            window(0, 1),
            frame(WINDOW_UPDATE, body=b"\0"),
        )
    )
    return _call(GET, update)


def odd_lengths(dice: Random) -> bytes:
    kind, length = dice.randrange(12), dice.choice((0, 1, 16_385, 2**24 - 1))
    return _open(frame(kind, dice.randrange(256), dice.choice((0, 1)), dice.randbytes(40), length))


def odd_streams(dice: Random) -> bytes:
    one = frame(HEADERS, END_HEADERS, dice.choice((0, 2, MOST_WINDOW)), GET)
    older = frame(HEADERS, END_HEADERS, 7, GET) + frame(HEADERS, END_HEADERS, 3, GET)
    data = frame(DATA, END_STREAM, dice.choice((0, 1, 9)), message(NAME))
    reset = frame(RST_STREAM, 0, dice.choice((0, 5)), struct.pack(">I", dice.randrange(20)))
    pushed = frame(PUSH, END_HEADERS, 1, b"\0\0\0\2" + GET)
    gone = frame(GOAWAY, body=dice.randbytes(8)) + frame(HEADERS, END_HEADERS, 1, GET)
    itself = frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 5))
    return _open(dice.choice((one, older, data, reset, pushed, gone, itself)))


def odd_padding(dice: Random) -> bytes:
    body = bytes([dice.choice((200, 255))]) + message(NAME)
    return _call(GET, frame(DATA, PADDED | END_STREAM, 1, body))


def odd_compression(dice: Random) -> bytes:
    wrong = dice.choice(
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\xbf",
            b"\x80",
            b"\x3f\xff\xff\xff\x7f",
            b"\0\x7f\xff\xff\xff\x0f",
            b"\0\x83\xff\xff\xff\x01a",
            b"\0\x05ab",
            hpack.Encoder().encode([(b"\0\n", b"\r\n\0")]),
            dice.randbytes(200),
        )
    )
    return _call(
        GET + wrong if dice.random() < 0.5 else wrong, frame(DATA, END_STREAM, 1, message(NAME))
    )


def unfinished_headers(dice: Random) -> bytes:
    """Headers that do not end, end elsewhere, or continue nothing."""
    begun = frame(HEADERS, 0, 1, GET)
    flood = b"".join(
        frame(CONTINUATION, 0, 1, literal(b"x-%d" % n, b"y" * 900)) for n in range(FLOOD)
    )
    return _open(
        dice.choice(
            (
                begun + flood,
                begun + frame(CONTINUATION, 0, 1) * 2000,
                begun + frame(PING, body=bytes(8)),
                begun + frame(CONTINUATION, END_HEADERS, 3, b""),
                frame(CONTINUATION, END_HEADERS, 1, GET),
            )
        )
    )


def floods(dice: Random) -> bytes:
    kinds = (
        frame(PING, body=bytes(8)),
        frame(SETTINGS),
        frame(PRIORITY, 0, 1, struct.pack(">IB", 3, 5)),
        frame(DATA, 0, 1),
        frame(dice.randrange(10, 256), 255, 1, b"?" * 50),
    )
    return _call(GET, dice.choice(kinds) * FLOOD * 5)


def rapid_resets(_dice: Random) -> bytes:
    """CVE-2023-44487."""
    reset = struct.pack(">I", 8)
    return _open(
        b"".join(
            frame(HEADERS, END_HEADERS, n, GET) + frame(RST_STREAM, 0, n, reset)
            for n in range(1, 2 * FLOOD, 2)
        )
    )


def _headers(*said: tuple[bytes, bytes]) -> bytes:
    return b"".join(literal(name, value) for name, value in said)


USUAL = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", PATH.encode()),
    (b":authority", b"x"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    *((name.encode(), value.encode()) for name, value in WHO),
)
ODD = (
    (b":method", b"GET"), (b":method", b""), (b":path", b""), (b":path", b"/"), (b":path", b"//"), (b":path", b"*"),
    (b":path", b"/luoshu.platforms.v1.PlatformService/None"), (b":path", b"/none/none"), (b":path", b"/" + b"x" * 9_000),
    (b":path", "/甲/乙".encode()), (b":path", b"/a\0b/c"), (b"te", b""), (b"content-type", b"text/html"),
    (b"content-type", b"application/grpc+json"), (b"grpc-timeout", b"99999999999S"), (b"grpc-timeout", b"soon"),
    (b"grpc-timeout", b"-1S"), (b"grpc-timeout", b"0n"), (b"grpc-encoding", b"gzip"), (b"grpc-encoding", b"none-such"),
    (b"grpc-accept-encoding", b"\xff"), (b"X-Upper", b"1"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"),
    (b"x-bin", b"no base64!"), (b"x-bin", b"=" * 40), (b"x", b"y" * 30_000), (b"", b""), (b"a b", b"c"), (b":odd", b"1"),
    (b"luoshu-actor", b"%zz"), (b"luoshu-actor", b"%ff%fe"), (b"luoshu-actor", b"%00"), (b"luoshu-actor", b"\xff\xfe"),
    (b"luoshu-actor", b""), (b"luoshu-actor", b"%E7%8E%8B" * 900), (b"luoshu-roles", b"root,," + b"auditor," * 500),
    (b"luoshu-roles", b"%"), (b"luoshu-department", b"\x01\x02"), (b"luoshu-department", b"'; DROP TABLE journal; --"),
    (b"traceparent", b"\x7f" * 100), (b"host", b"\0"), (b"content-length", b"1"), (b"content-length", b"-5"),
)  # fmt: skip


def odd_headers(dice: Random) -> bytes:
    odd = dice.choice(ODD)
    kept = [one for one in USUAL if one[0] != odd[0] or dice.random() < 0.3]
    if dice.random() < 0.2:
        kept = [one for one in kept if one[0] != dice.choice(USUAL)[0]]
    at = dice.randrange(len(kept) + 1)
    return _call(_headers(*kept[:at], odd, *kept[at:]), frame(DATA, END_STREAM, 1, message(NAME)))


def odd_messages(dice: Random) -> bytes:
    """gRPC's own five bytes, wrong."""
    gzip = _headers(*USUAL, (b"grpc-encoding", b"gzip"))
    ended = frame(DATA, END_STREAM, 1)
    return dice.choice(
        (
            _call(GET, frame(DATA, END_STREAM, 1, message(NAME, compressed=1))),
            _call(GET, frame(DATA, END_STREAM, 1, message(NAME, compressed=77))),
            _call(gzip, frame(DATA, END_STREAM, 1, message(dice.randbytes(50), compressed=1))),
            _call(GET, frame(DATA, END_STREAM, 1, message(NAME, length=500))),
            _call(GET, frame(DATA, END_STREAM, 1, message(NAME, length=2**32 - 1))),
            _call(GET, frame(DATA, END_STREAM, 1, message(NAME, length=3))),
            _call(GET, frame(DATA, END_STREAM, 1, message(NAME) * 3)),
            _call(GET, frame(DATA, END_STREAM, 1, b"\0\0\0")),
            _call(GET, ended),
            _call(GET, b""),
            _call(GET, frame(DATA, 0, 1, b"\0") * 5 + ended),
        )
    )


def flipped(dice: Random) -> bytes:
    """A call that would do, with some bits the other way round."""
    good = bytearray(_open(wire.call(1, GET, NAME)))
    for _ in range(dice.choice((1, 2, 10))):
        good[dice.randrange(24, len(good))] ^= 1 << dice.randrange(8)
    return bytes(good)


SCRIPTS: tuple[Script, ...] = (
    noise, another_protocol, odd_settings, odd_windows, odd_lengths, odd_streams, odd_padding, odd_compression,
    unfinished_headers, floods, rapid_resets, odd_headers, odd_headers, odd_messages, odd_messages, flipped, flipped,
)  # fmt: skip


PATH_WITHOUT_TEXT = _call(_headers(*USUAL[:2], (b":path", b"/\xf0/x"), *USUAL[3:]), b"")


class Broken(NamedTuple):
    """What came of it. `frames`: the statuses that were answered, by script and code; `findings`: what must not be."""

    connections: int
    frames: dict[str, int]
    findings: list[tuple[str, str]]


async def attack(address: str, dice: Random, count: int) -> Broken:
    """Open so many connections, some at once, each with one script."""
    place, answered, found = asyncio.Semaphore(TOGETHER), dict[str, int](), list[tuple[str, str]]()

    async def one(script: Script, sent: bytes) -> None:
        async with place:
            received = await exchanged(address, sent)
        if any(leak in received for leak in LEAKS):
            found.append(
                ("an answer tells of the program", f"{script.__name__}: {received[:500]!r}")
            )
        for code in codes(received):
            key = f"{script.__name__} {code}"
            answered[key] = answered.get(key, 0) + 1

    scripts = [SCRIPTS[n % len(SCRIPTS)] for n in range(count)]
    await asyncio.gather(*(one(script, script(dice)) for script in scripts))
    return Broken(count, dict(sorted(answered.items())), found)


async def exchanged(address: str, sent: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    received = bytearray()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LONGEST):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            await writer.drain()
            while some := await asyncio.wait_for(reader.read(65_536), QUIET):
                received += some
            writer.close()
    return bytes(received)


def codes(received: bytes) -> Iterator[int]:
    """Return the statuses among what was received."""
    for one in wire.frames(bytearray(received)):
        if one.kind == HEADERS and one.ends:
            with contextlib.suppress(hpack.HPACKError, ValueError):
                yield wire.status(one.body).code
