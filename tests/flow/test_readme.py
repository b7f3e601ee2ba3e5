"""The calls of README.md through server reflection: no generated code, no grpcurl, the same answers."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

from tools import readme

CALLS = readme.calls(readme.README.read_text("utf-8"))
NAMES = {"Create", "List", "Submit", "Recognize", "Watch"}
KNOWN = error_details_pb2.DESCRIPTOR.name  # imported, so that details can be read


class Reflected:
    """Calls what a server itself says that it offers."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self._pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))

    def answers(self, call: readme.Call) -> list[Any]:
        """Return what a call answers: messages, and at the end its error."""
        service, name = call.method.split("/")
        method = self._pool.FindServiceByName(service).methods_by_name[name]
        request = json_format.ParseDict(
            dict(call.data), GetMessageClass(method.input_type)(), descriptor_pool=self._pool
        )
        function = self.channel.unary_stream(
            f"/{call.method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        return list(
            self._told(function(request, metadata=call.metadata, timeout=call.seconds or 20))
        )

    def _told(self, stream: Any) -> Iterator[Any]:
        try:
            for message in stream:
                yield json_format.MessageToDict(
                    message, preserving_proto_field_name=True, descriptor_pool=self._pool
                )
        except grpc.RpcError as error:
            yield _error(error)


def _error(error: Any) -> Any:
    code = "".join(word.capitalize() for word in error.code().name.split("_"))
    status = rpc_status.from_call(error)
    details = [json_format.MessageToDict(d) for d in status.details] if status else []
    return readme.told(code, error.details(), details)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, list[Any]]]:
    """What a fresh server answers to all calls, in their order."""
    with readme.server() as address:
        client = Reflected(address)
        yield {call.method: client.answers(call) for call in CALLS}
        client.channel.close()


def test_there_are_the_five_calls_that_the_page_promises() -> None:
    assert {
        call.method.split("/")[1].replace("Platforms", "").replace("Platform", "") for call in CALLS
    } == NAMES


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method.split("/")[1])
def test_a_call_answers_what_stands_in_the_readme(
    call: readme.Call, answers: dict[str, list[Any]]
) -> None:
    assert readme.masked(answers[call.method]) == readme.masked(readme.parsed(call.output))


def test_another_answer_than_the_one_that_stands_there_is_noticed() -> None:
    stands = readme.parsed(CALLS[0].output)
    other = readme.parsed(CALLS[0].output.replace("STATE_DRAFT", "STATE_SUBMITTED"))
    later = readme.parsed(CALLS[0].output.replace('"year": 2', '"year": 3'))
    assert readme.masked(stands) != readme.masked(other)
    assert readme.masked(stands) == readme.masked(later)
