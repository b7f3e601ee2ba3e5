"""The contract's rules, checked on messages of protovalidate's own library: what they say of protobuf's is the same."""

import time
from typing import Any

import protobuf
import protovalidate
import pytest
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from kernel.rules import PARTS, READS, SMALL, Rules
from kernel.violations import problems, room
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.hostile.fuzz import METHODS
from tests.hostile.malice import Malice

RULES, THEIRS = Rules(), protovalidate.Validator()
MANY = 1500


def _read(kind: Any, raw: bytes) -> Any | None:
    try:
        return kind.FromString(raw)
    except DecodeError:
        return None


def _same(message: Any) -> bool:
    """Tell whether both say the same, and that something is wrong."""
    said = problems(THEIRS.collect_violations(message), message)
    if room(message, PARTS) > 0:
        assert RULES.broken(message) == said
    assert RULES.first(message) == said[:1]
    return bool(said)


@pytest.mark.parametrize("seed", [1, 2])
def test_of_whatever_is_asked_the_same_is_said(seed: int) -> None:
    malice = Malice(seed)
    wrong = [_same(malice.request(malice.dice.choice(METHODS))) for _ in range(MANY)]
    assert 0 < sum(wrong) < MANY


def test_of_whatever_bytes_can_be_read_the_same_is_said() -> None:
    malice, read = Malice(3), 0
    for _ in range(MANY):
        method = malice.dice.choice(METHODS)
        message = _read(GetMessageClass(method.input_type), malice.bytes_of(method))
        if message is not None:
            read += 1
            _same(message)
    assert read > MANY / 5


def test_a_message_is_checked_as_one_of_their_own_library() -> None:
    for method in METHODS:
        message = GetMessageClass(method.input_type)()
        assert isinstance(RULES._theirs(message), protobuf.Message) == READS


def test_a_message_that_is_large_is_asked_where_it_is() -> None:
    large = pb.BatchCreatePlatformsRequest(requests=[pb.CreatePlatformRequest()] * SMALL)
    assert RULES._theirs(large) is large
    began = time.perf_counter()
    assert [problem.code for problem in RULES.first(large)] == ["REPEATED_MAX_ITEMS"]
    assert time.perf_counter() - began < 1


def test_a_library_that_is_not_compiled_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernel.rules.READS", False)
    message = pb.GetPlatformRequest(name="x")
    assert RULES._theirs(message) is message
    assert _same(message)


def test_a_field_unknown_that_only_protobuf_reads_is_no_crash() -> None:
    message = _read(GetMessageClass(METHODS[0].input_type), b"\xf8\x3e" + b"\xff" * 9 + b"\x11")
    assert RULES._theirs(message) is message
    _same(message)


def test_kinds_that_were_not_expected_are_read_too() -> None:
    rules = Rules()
    kinds = [method.input_type for method in METHODS]
    rules.expect(kinds[0])
    for kind in (kinds[0], kinds[-1], kinds[0]):
        message = GetMessageClass(kind)()
        assert rules.broken(message) == problems(THEIRS.collect_violations(message), message)
