"""Input that nobody means well with: whatever comes, no call ends in INTERNAL or UNKNOWN, and none holds the others up."""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from app.catalogue import NAMES, REGISTRIES
from luoshu.audit.v1 import audit_pb2
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2
from luoshu.reports.v1 import reports_pb2
from tests.running import MovableClock, Running, Who, refusal
from tests.service.registry_suite import APPLICANT, AUDITOR, OFFICER, SAMPLES, UNIT, furnish

CALLS, SEED = 1500, 20260316
EVERYBODY = (
    APPLICANT,
    OFFICER,
    AUDITOR,
    Who("zhao", "DST", ("approver", "case_officer", "finance_officer")),
    Who("sun", UNIT, ("importer", "applicant")),
    Who("luoshu", "SYSTEM", ("system",)),
    Who("王伟", "科技厅", ()),
)
CONTRACTS = (
    *(service.contract for service in REGISTRIES),
    audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
    reports_pb2.DESCRIPTOR.services_by_name["ReportService"],
    journal_pb2.DESCRIPTOR.services_by_name["JournalService"],
)
METHODS = [method for contract in CONTRACTS for method in contract.methods]
TEXTS = (
    "", "a", "\0", "甲\0乙", "\n", "x" * 201, "长" * 3001, "嵩山实验室", "🙂" * 30, "%_*\\", "\u202eabc",
    "pc1:" + "A" * 43, "' OR 1=1 --", "DST", "410100", UNIT, "1" * 5000, "2026-02-30", "provincial-laboratory",
    "platforms/x", "platforms/../x", "platforms/x\n", "calls/suite", "programmes/suite", "entries/999999999999999999",
    "reports/0000-01", "reports/2026-03", "reports/9999-12", "reviews/x", "r1", "AAAA", "title:甲", "(" * 30 + "a" + ")" * 30,
    "create_time > \"0001-01-01T00:00:00+23:59\"", "NOT " * 400 + "a", "title = \"*a*b*c*d*e*f*\"", "name desc", "title title",
    "requested_fen > 99999999999999999999", "effective_date = ٢٠٢٦-٠١-٠١", "-", "\"\\\"", "create_time > 2026-01-01T24:00:00Z",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 50, 1000, 2**31 - 1, -(2**31), 2**53, 2**62, 2**63 - 1, -(2**63))
DATES = (
    (2026, 3, 16),
    (0, 0, 0),
    (2026, 2, 30),
    (10000, 1, 1),
    (-1, 1, 1),
    (2**31 - 1, -1, 99),
    (1, 1, 1),
    (2026, 0, 0),
)
TIMES = (
    (0, 0),
    (-62135596800, 0),
    (-62135596801, 0),
    (253402300800, 0),
    (2**63 - 1, 0),
    (-(2**63), -1),
    (1, 2**31 - 1),
)
LEAKS = ("Traceback", "sqlite", "sqlalchemy", "psycopg", "Error(", "Exception", ".py")


class Malice:
    """Makes requests from the contract alone, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def fill(self, message: Any, depth: int = 0) -> Any:
        kind = message.DESCRIPTOR.full_name
        if kind == "google.type.Date":
            message.year, message.month, message.day = self.dice.choice(DATES)
        elif kind == "google.protobuf.Timestamp":
            message.seconds, message.nanos = self.dice.choice(TIMES)
        else:
            for field in message.DESCRIPTOR.fields:
                if self.dice.random() < 0.4:
                    self._put(message, field, depth)
        return message

    def spoil(self, message: Any) -> Any:
        """Change one field or three of a request that would do."""
        for _ in range(self.dice.choice((1, 1, 3))):
            inner = message
            while (parts := self._parts(inner)) and self.dice.random() < 0.6:
                inner = self.dice.choice(parts)
            field = self.dice.choice(inner.DESCRIPTOR.fields)
            inner.ClearField(field.name)
            self._put(inner, field, 1)
        return message

    @staticmethod
    def _parts(message: Any) -> list[Any]:
        fields = message.ListFields()
        return [value for field, value in fields if field.message_type and not field.is_repeated]

    def _put(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.message_type and depth > 4:
            return
        values = getattr(message, field.name)
        if field.is_repeated:
            for _ in range(self.dice.choice((1, 2, 60)) if depth < 2 else 1):
                if field.message_type:
                    self.fill(values.add(), depth + 1)
                else:
                    values.append(self._value(field))
        elif field.message_type:
            values.SetInParent()
            self.fill(values, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _value(self, field: FieldDescriptor) -> Any:
        kind: Any = FieldDescriptor
        if field.cpp_type == kind.CPPTYPE_STRING:
            if field.type == kind.TYPE_BYTES:
                return self.dice.randbytes(20)
            return self.dice.choice(TEXTS)
        if field.cpp_type == kind.CPPTYPE_ENUM:
            known = [value.number for value in field.enum_type.values]
            return self.dice.choice((*known, *known, 999, -1))
        if field.cpp_type == kind.CPPTYPE_BOOL:
            return self.dice.random() < 0.3
        bits = 31 if field.cpp_type in (kind.CPPTYPE_INT32, kind.CPPTYPE_UINT32) else 63
        least = 0 if field.cpp_type in (kind.CPPTYPE_UINT32, kind.CPPTYPE_UINT64) else -(2**bits)
        return min(max(self.dice.choice(NUMBERS), least), 2**bits - 1)

    def bytes_of(self, method: Any) -> bytes:
        """Return a request: made up, or one that would do and is spoilt; now and then its bytes are."""
        request = _likely(method)
        request = (
            self.fill(GetMessageClass(method.input_type)())
            if request is None
            else self.spoil(request)
        )
        raw = bytearray(request.SerializeToString())
        if raw and self.dice.random() < 0.05:
            raw[self.dice.randrange(len(raw))] = self.dice.randrange(256)
        return bytes(raw)


def _likely(method: Any) -> Any:
    """Return a request that would do, where one is known."""
    request = GetMessageClass(method.input_type)()
    for sample in SAMPLES:
        if method.name == f"Create{sample.noun}":
            getattr(request, sample.singular).CopyFrom(sample.draft())
            return request
        if method.name == f"BatchCreate{sample.plural}":
            getattr(request.requests.add(), sample.singular).CopyFrom(sample.draft())
            return request
        if method.name == f"Import{sample.plural}":
            return sample.rows(sample.row("malice"), sample.row("malice-2"))
    return None


def _answers(running: Running, method: Any, raw: bytes, who: Who) -> Iterator[bytes]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    said: Any = {"metadata": who.metadata, "timeout": 10}
    if method.client_streaming:
        yield from running.channel.stream_stream(path)(iter([raw]), **said)
    elif method.server_streaming:
        yield from running.channel.unary_stream(path)(raw, metadata=who.metadata, timeout=0.05)
    else:
        yield running.channel.unary_unary(path)(raw, **said)


def _outcome(running: Running, method: Any, raw: bytes, who: Who) -> tuple[str, str]:
    try:
        for _ in _answers(running, method, raw, who):
            pass
    except grpc.RpcError as error:
        return error.code().name, error.details() or ""  # type: ignore[attr-defined]
    return "OK", ""


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Running]:
    """A process of its own: some of what is sent is accepted."""
    running = Running(tmp_path, NAMES, MovableClock()).start()
    furnish(running)
    yield running
    running.stop()


def test_no_request_ends_in_internal_or_tells_of_the_program(victim: Running) -> None:
    malice = Malice(SEED)
    before = victim.log.stat().st_size
    asked = [
        (method, malice.bytes_of(method), malice.dice.choice(EVERYBODY))
        for method in malice.dice.choices(METHODS, k=CALLS)
    ]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda one: _outcome(victim, *one), asked))
    for (method, raw, who), (code, text) in zip(asked, outcomes, strict=True):
        request = GetMessageClass(method.input_type)
        assert code not in ("INTERNAL", "UNKNOWN"), (method.name, text, who, raw)
        assert not any(leak in text for leak in LEAKS), (method.name, text, request, who)
    assert len({code for code, _ in outcomes}) >= 5
    lines = victim.log.read_bytes()[before:].decode().splitlines()
    assert [line for line in lines if json.loads(line)["event"] == "rpc_crashed"] == []


def test_a_message_made_to_break_rules_holds_nobody_up(registries: Running) -> None:
    unit = platforms_pb2.Unit(code="x")
    platform = platforms_pb2.Platform(title="甲", co_building_units=[unit] * 500_000)
    request = platforms_pb2.CreatePlatformRequest(platform=platform)
    with ThreadPoolExecutor(1) as threads:
        attack = threads.submit(
            refusal, lambda: registries.ask("CreatePlatform", APPLICANT, request, 60)
        )
        slowest = 0.0
        while not attack.done():
            began = time.perf_counter()
            registries.call("ListPlatforms", AUDITOR, page_size=1)
            slowest = max(slowest, time.perf_counter() - began)
    assert attack.result().code == "INVALID_ARGUMENT"
    assert slowest < 2


def test_wrong_rows_of_an_import_are_told_each_with_its_own_problems(registries: Running) -> None:
    sample = SAMPLES[0]
    wrong = sample.history(title="", division="x")
    rows = [sample.row(f"told-{n}", wrong if n % 2 else None) for n in range(6)]
    results = sample.enter(registries, *rows)
    for number, result in enumerate(results):
        fields = sorted(problem.field for problem in result.problems)
        assert fields == (["division", "title"] if number % 2 else []), result


def test_an_import_that_is_wrong_as_a_whole_is_refused(registries: Running) -> None:
    sample = SAMPLES[0]
    for said in ({"source": ""}, {"source": "x" * 65}):
        message = sample.rows(sample.row("whole"), **said)
        wrong = refusal(
            lambda message=message: registries.feed("ImportPlatforms", sample.importer, [message])
        )
        assert wrong.code == "INVALID_ARGUMENT", said
        assert [field for field, _ in wrong.problems] == ["source"]


@pytest.mark.parametrize("token", ["AAAA", "=", "é", "A" * 4096, "\0"])
def test_a_forged_page_token_is_refused(registries: Running, token: str) -> None:
    for rpc, said in (("ListPlatforms", {}), ("ListCalls", {"filter": "title:甲"})):
        wrong = refusal(
            lambda rpc=rpc, said=said: registries.call(rpc, AUDITOR, page_token=token, **said)
        )
        assert wrong.code == "INVALID_ARGUMENT"


def test_a_historical_platform_is_completed_though_nobody_knows_what_was_asked(
    registries: Running,
) -> None:
    sample = SAMPLES[0]
    asked = platforms_pb2.Platform.STATE_COMPLETION_REQUESTED
    (row,) = sample.enter(registries, sample.row("asked", sample.history(state=asked)))
    done = registries.call("CompletePlatform", APPLICANT, name=row.name, explanation="已补正")
    assert [request.explanation for request in done.completion_requests] == ["已补正"]
