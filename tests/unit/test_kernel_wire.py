"""What the kernel writes down by hand is what protobuf would have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue import REGISTRIES
from kernel.registry import Resource, Service, varint
from luoshu.journal.v1.journal_pb2 import Change

KINDS = [(service, resource) for service in REGISTRIES for resource in service.resources]


@pytest.mark.parametrize(("service", "resource"), KINDS, ids=lambda one: getattr(one, "noun", ""))
@given(title=st.text(max_size=300), position=st.integers(1, 2**62))
def test_an_event_is_written_as_protobuf_writes_it(
    service: Service, resource: Resource, title: str, position: int
) -> None:
    record = resource.record(name=f"{resource.collection}/one", author=title, revision=position)
    change = Change(position=position, record=record.name, reason=title)
    event = service.event(change=change, **{resource.singular: record})
    written = service.event_of(resource, change, record.SerializeToString())
    assert written == event.SerializeToString()


@pytest.mark.parametrize(("_", "resource"), KINDS, ids=lambda one: getattr(one, "noun", ""))
def test_actions_behind_a_record_are_read_with_it(_: Service, resource: Resource) -> None:
    record = resource.record(name=f"{resource.collection}/one", author="accounts/a")
    body = resource.with_actions(record.SerializeToString(), ("update", "submit"))
    record.allowed_actions.extend(("update", "submit"))
    assert resource.record.FromString(body) == record


@given(st.integers(0, 2**63 - 1))
def test_a_number_takes_seven_bits_a_byte(number: int) -> None:
    written = varint(number)
    assert sum((byte & 0x7F) << 7 * n for n, byte in enumerate(written)) == number
    assert all(byte & 0x80 for byte in written[:-1])
    assert not written[-1] & 0x80
