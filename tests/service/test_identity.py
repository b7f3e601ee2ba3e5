"""Who calls: what the metadata may say, and what it may not."""

from typing import Any

import grpc
import pytest

from kernel.case import Role
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.running import Running, Who, refusal, request, told
from tests.service.registry_suite import APPLICANT, AUDITOR, PLATFORM


def test_a_role_that_there_is_not_is_refused_with_those_there_are(running: Running) -> None:
    wrong = refusal(lambda: PLATFORM.page(running, Who("a", "DST", ("king",))))
    assert wrong.code == "INVALID_ARGUMENT"
    assert wrong.problems[0][0] == "luoshu-roles"
    for role in Role:
        assert role in wrong.text


@pytest.mark.parametrize(
    "pair",
    [
        ("system_administrator", "security_administrator"),
        ("security_administrator", "audit_administrator"),
        ("audit_administrator", "system_administrator"),
    ],
)
def test_two_administrators_roles_in_one_hand_are_refused(
    running: Running, pair: tuple[str, str]
) -> None:
    wrong = refusal(lambda: PLATFORM.page(running, Who("a", "DST", ("auditor", *pair))))
    assert (wrong.code, wrong.reason) == ("PERMISSION_DENIED", "ROLES_EXCLUDE")
    PLATFORM.page(running, Who("a", "DST", ("auditor", pair[0])))


def test_a_name_outside_of_ascii_comes_percent_encoded(running: Running) -> None:
    record = PLATFORM.create(running, Who("欧阳", APPLICANT.department, ("applicant",)))
    assert record.author == "欧阳"


@pytest.mark.parametrize("name", ["a b", "a\nb", "x" * 129, "a\0b"])
def test_a_name_that_cannot_stand_in_a_log_is_refused(running: Running, name: str) -> None:
    wrong = refusal(lambda: PLATFORM.page(running, Who(name, "DST", ())))
    assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "IDENTITY_MALFORMED")


def test_a_caller_without_department_sees_what_is_published_only_and_registers_nothing(
    running: Running,
) -> None:
    nowhere = Who("somebody", "", ("applicant", "case_officer"))
    record = PLATFORM.create(running, APPLICANT)
    wrong = refusal(lambda: PLATFORM.get(running, record.name, nowhere))
    assert wrong.code == "NOT_FOUND"
    wrong = refusal(lambda: PLATFORM.create(running, nowhere))
    assert (wrong.reason, "luoshu-department" in wrong.text) == ("DEPARTMENT_UNKNOWN", True)


def test_nobody_registers_a_record_for_a_department_that_is_none(running: Running) -> None:
    for department in ("ABC", "UNASSIGNED", "12410100DEMA00013X"):
        who = Who("wang", department, ("case_officer",))
        wrong = refusal(lambda who=who: PLATFORM.create(running, who))  # type: ignore[misc]
        assert (wrong.code, wrong.reason) == ("PERMISSION_DENIED", "DEPARTMENT_UNKNOWN")
        assert "DST" in wrong.text
    assert PLATFORM.create(running, Who("wang", "410100", ("case_officer",))).owner_unit == "410100"


def raw(running: Running, method: str, body: bytes) -> Any:
    call: Any = running.channel.unary_unary(f"/luoshu.platforms.v1.PlatformService/{method}")
    return call(body, metadata=APPLICANT.metadata, timeout=10)


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a\x05ab", b"\x0a\x02\x0a\x05", b"\x00"])
def test_bytes_that_are_no_request_are_refused(running: Running, body: bytes) -> None:
    wrong = refusal(lambda: raw(running, "CreatePlatform", body))
    assert wrong.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("length", [10, 2000, 100_000])
@pytest.mark.parametrize("sign", ["x", "长", "😀"])
def test_a_long_wrong_value_still_gets_its_answer(running: Running, sign: str, length: int) -> None:
    """A status travels in headers: it must not outgrow what a peer takes."""
    message = pb.Platform(name="platforms/none-such", title="x")
    paths = [sign * length]
    wrong = refusal(
        lambda: running.call(
            "UpdatePlatform", APPLICANT, platform=message, update_mask={"paths": paths}
        )
    )
    assert wrong.code in ("NOT_FOUND", "INVALID_ARGUMENT")
    record = PLATFORM.create(running)
    message.name = record.name
    wrong = refusal(
        lambda: running.call(
            "UpdatePlatform", APPLICANT, platform=message, update_mask={"paths": paths}
        )
    )
    assert wrong.problems[0][0] == "update_mask"


def test_many_wrong_fields_still_get_their_answer(running: Running) -> None:
    wrong_unit = pb.Unit(name="长" * 201, code="长" * 500)
    requests = [
        {"platform": pb.Platform(kind="x", co_building_units=[wrong_unit] * 20)} for _ in range(50)
    ]
    message = request("BatchCreatePlatforms", requests=requests)
    wrong = refusal(lambda: running.ask("BatchCreatePlatforms", APPLICANT, message))
    assert wrong.problems
    assert wrong.problems[0][0].startswith("requests[0].platform.")


def test_an_unknown_method_is_unimplemented(running: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        raw(running, "DeletePlatform", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_crash_tells_its_number_and_nothing_else(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, fault = running.process.rooms["platforms"], "the secret text of a fault"

    def crash(*_: Any) -> Any:
        raise RuntimeError(fault)

    monkeypatch.setattr(room.lists, "page", crash)
    running.take_log()
    with pytest.raises(grpc.RpcError) as caught:
        PLATFORM.page(running, AUDITOR)
    wrong = told(caught.value)
    assert (wrong.code, wrong.reason) == ("INTERNAL", "INTERNAL")
    log = running.log.read_text()
    assert fault not in log + wrong.text + wrong.zh
    incident = wrong.text.partition("incident ")[2].partition(";")[0]
    assert incident in wrong.zh
    assert incident in log


def test_health_and_reflection_answer_without_identity(running: Running) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub: Any = health_pb2_grpc.HealthStub(running.channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
