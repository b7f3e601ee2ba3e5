"""What the client raises: the class by the status, the texts and problems by the details."""

from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from luoshu import client
from luoshu.client.errors import BY_STATUS, from_call, from_status


def told(*messages):
    status = Status(message="cannot; try this")
    for message in messages:
        status.details.add().Pack(message)
    return status


def test_every_status_but_ok_has_its_class():
    assert set(BY_STATUS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_reason_and_both_texts_come_from_the_details():
    sent = told(
        details.ErrorInfo(reason="STATE_FORBIDS", domain="luoshu"),
        details.LocalizedMessage(locale="zh-CN", message="不能；请这样"),
    )
    error = from_status(grpc.StatusCode.FAILED_PRECONDITION, "", sent)
    assert isinstance(error, client.Refused)
    assert (error.code, error.text_en, error.text_zh) == (
        "STATE_FORBIDS",
        "cannot; try this",
        "不能；请这样",
    )


def test_a_reused_request_id_is_told_from_other_invalid_requests():
    sent = told(details.ErrorInfo(reason="REQUEST_ID_REUSED"))
    assert isinstance(from_status(grpc.StatusCode.INVALID_ARGUMENT, "", sent), client.Reused)
    assert type(from_status(grpc.StatusCode.INVALID_ARGUMENT, "", told())) is client.Invalid


def test_problems_keep_field_code_and_both_languages():
    request = details.BadRequest()
    violation = request.field_violations.add(field="title", description="blank", reason="REQUIRED")
    violation.localized_message.locale = "zh-CN"
    violation.localized_message.message = "为空"
    error = from_status(grpc.StatusCode.INVALID_ARGUMENT, "", told(request))
    assert error.problems == (client.Problem("title", "REQUIRED", "blank", "为空"),)


def test_the_retry_hint_is_in_seconds():
    sent = told(details.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)))
    assert from_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "", sent).retry_after == 1.5


def test_a_proxy_without_details_still_gives_class_and_chinese_text():
    call = SimpleNamespace(
        code=lambda: grpc.StatusCode.UNAVAILABLE,
        details=lambda: "connection refused",
        trailing_metadata=lambda: None,
    )
    error = from_call(call, "id-1")
    assert isinstance(error, client.Unavailable)
    assert "connection refused" in error.text_en
    assert (error.text_zh, error.request_id) == ("无法连接服务器", "id-1")


def test_a_failure_without_details_has_words_in_chinese():
    call = SimpleNamespace(
        code=lambda: grpc.StatusCode.INTERNAL,
        details=lambda: "RST_STREAM",
        trailing_metadata=lambda: None,
    )
    assert from_call(call).text_zh == "服务器内部或传输途中出错"


def test_details_that_are_no_status_do_not_break_the_error():
    call = SimpleNamespace(
        code=lambda: grpc.StatusCode.NOT_FOUND,
        details=lambda: "no such",
        trailing_metadata=lambda: [("grpc-status-details-bin", b"\xff\xff\xff")],
    )
    assert isinstance(from_call(call), client.NotFound)


@pytest.mark.parametrize(
    "status", [s for s in grpc.StatusCode if s is not grpc.StatusCode.OK], ids=lambda s: s.name
)
def test_every_error_has_a_text_in_both_languages(status):
    error = from_status(status, "", Status())
    assert error.text_en
    assert error.text_zh
