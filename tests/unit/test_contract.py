"""Google's AIPs, and this project's own rules, as tests of every descriptor."""

import re
from typing import Any

import pytest
from google.api import field_behavior_pb2, resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from app.catalogue import REGISTRIES
from app.importing import batches
from buf.validate import validate_pb2
from kernel.personal import personal_fields
from kernel.registry import Resource, Service
from kernel.rpc import MOST_ROWS
from kernel.servicer import rpc_name
from tests.unit.contract_files import Element, elements

BEHAVIOUR: Any = field_behavior_pb2
RESOURCES = [(s, r) for s in REGISTRIES for r in s.resources]
resources = pytest.mark.parametrize(
    ("service", "resource"), RESOURCES, ids=[r.noun for _, r in RESOURCES]
)
Float = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)

KERNELS = {
    "name": 1, "revision": 2, "etag": 3, "create_time": 4, "update_time": 5, "state": 6, "allowed_actions": 7,
    "effective_date": 8, "lead_department": 9, "concerned_departments": 10, "owner_unit": 11, "author": 12, "origin": 13,
}  # fmt: skip


def of(kind: str) -> list[Element]:
    return [element for element in elements() if element.kind == kind]


def rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def shape(message: Descriptor) -> dict[str, int]:
    return {field.name: field.number for field in message.fields}


def method(service: Service, name: str) -> MethodDescriptor:
    found = service.contract.methods_by_name.get(name)
    assert found is not None, f"{service.contract.full_name} has no {name}"
    return found


# Everything that is declared.


def test_everything_declared_has_a_comment() -> None:
    assert [str(element) for element in elements() if not element.comment.strip()] == []
    assert {element.kind for element in elements()} == {
        "message", "field", "enum", "value", "service", "rpc",
    }  # fmt: skip


def test_a_comment_ends_as_a_sentence_does() -> None:
    open_ended = [str(e) for e in elements() if e.comment.rstrip()[-1] not in ".。)…`"]
    assert open_ended == []


def test_every_enum_begins_unspecified_and_its_values_bear_its_name() -> None:
    for enum in of("enum"):
        prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum.proto.name).upper()
        names = [value.name for value in enum.proto.value]
        assert names[0] == f"{prefix}_UNSPECIFIED", str(enum)
        assert enum.proto.value[0].number == 0
        assert [name for name in names if not name.startswith(f"{prefix}_")] == []


def test_field_names_are_snake_case() -> None:
    wrong = [str(f) for f in of("field") if not re.fullmatch("[a-z]+(_[a-z0-9]+)*", f.proto.name)]
    assert wrong == []


def test_no_field_is_a_float() -> None:
    assert [str(f) for f in of("field") if f.proto.type in Float] == []


def test_an_amount_of_money_is_a_whole_number_of_fen() -> None:
    amounts = [f for f in of("field") if "fen" in f.proto.name.split("_")]
    assert len(amounts) > 20
    for field in amounts:
        assert field.proto.type == FieldDescriptor.TYPE_INT64, str(field)
        assert "fen" in field.comment, str(field)
    named = ("amount", "ceiling", "budget", "cost", "price", "investment", "expenditure")
    wrong = [
        str(f)
        for f in of("field")
        if f.proto.name.split("_")[-1] in named
        and f.proto.type in (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32)
    ]
    assert wrong == []


def test_a_date_is_a_date_and_a_time_is_a_timestamp() -> None:
    for field in of("field"):
        name, kind = field.proto.name, field.proto.type_name
        if kind == ".google.protobuf.Timestamp":
            assert name.endswith("_time"), str(field)
        if name.endswith(("_date", "_day")):
            assert kind == ".google.type.Date" or ".reports." in field.path, str(field)
        if name.endswith("_time"):
            assert kind == ".google.protobuf.Timestamp", str(field)


# Every record.


@resources
def test_a_record_is_a_named_resource(service: Service, resource: Resource) -> None:
    descriptor = resource.record.DESCRIPTOR
    said = descriptor.GetOptions().Extensions[resource_pb2.resource]
    assert said.type == f"luoshu.gov.cn/{resource.noun}"
    assert list(said.pattern) == [f"{resource.collection}/{{{resource.singular}}}"]
    assert (said.singular, said.plural) == (resource.singular, resource.collection)
    name = descriptor.fields_by_name["name"]
    assert BEHAVIOUR.IDENTIFIER in name.GetOptions().Extensions[BEHAVIOUR.field_behavior]


@resources
def test_the_kernels_fields_have_the_same_numbers(service: Service, resource: Resource) -> None:
    have = shape(resource.record.DESCRIPTOR)
    assert {name: have.get(name) for name in KERNELS} == KERNELS
    own = [number for name, number in have.items() if name not in KERNELS]
    assert min(own) >= 20


@resources
def test_numbers_are_kept_for_the_kernel(service: Service, resource: Resource) -> None:
    (message,) = (m for m in of("message") if m.path == resource.record.DESCRIPTOR.full_name)
    kept = {n for r in message.proto.reserved_range for n in range(r.start, r.end)}
    assert kept >= set(range(14, 20))


@resources
def test_what_only_the_kernel_fills_is_marked_so(service: Service, resource: Resource) -> None:
    filled = set(KERNELS) - {"name", "etag", "lead_department", "origin"}
    for name in filled:
        field = resource.record.DESCRIPTOR.fields_by_name[name]
        behaviour = field.GetOptions().Extensions[BEHAVIOUR.field_behavior]
        assert BEHAVIOUR.OUTPUT_ONLY in behaviour, name


@pytest.mark.parametrize("service", REGISTRIES, ids=lambda service: service.name)
def test_an_event_is_a_change_and_one_of_the_records(service: Service) -> None:
    descriptor = service.event.DESCRIPTOR
    assert descriptor.fields_by_name["change"].number == 1
    assert descriptor.fields_by_name["change"].message_type.name == "Change"
    (one,) = descriptor.oneofs
    assert {f.name: f.message_type.full_name for f in one.fields} == {
        r.singular: r.record.DESCRIPTOR.full_name for r in service.resources
    }


# The standard methods: AIP-131 to 135, 132, 158, 160, 154, 155, 163.


@resources
def test_get_takes_a_name_and_returns_the_record(service: Service, resource: Resource) -> None:
    get = method(service, f"Get{resource.noun}")
    assert get.output_type is resource.record.DESCRIPTOR
    assert shape(get.input_type) == {"name": 1, "read_time": 2, "valid_time": 3, "revision": 4}
    assert resource.collection in rules(get.input_type.fields_by_name["name"]).string.pattern


@resources
def test_list_filters_orders_and_pages(service: Service, resource: Resource) -> None:
    list_ = method(service, f"List{resource.plural}")
    asked, answer = list_.input_type, list_.output_type
    assert shape(asked) == {
        "page_size": 1, "page_token": 2, "filter": 3, "order_by": 4, "read_time": 5, "valid_time": 6,
    }  # fmt: skip
    assert shape(answer) == {resource.collection: 1, "next_page_token": 2, "position": 3}
    assert answer.fields_by_name[resource.collection].message_type is resource.record.DESCRIPTOR


def test_every_page_size_has_a_most() -> None:
    found = 0
    for service in REGISTRIES:
        for rpc in service.contract.methods:
            field = rpc.input_type.fields_by_name.get("page_size")
            if field is not None:
                found += 1
                assert rules(field).int32.lte == 1000, rpc.full_name
                assert rules(field).int32.gte == 0
                assert "page_token" in rpc.input_type.fields_by_name
                assert "next_page_token" in rpc.output_type.fields_by_name
    assert found >= 2 * len(RESOURCES)


MADE_BY_CALLERS = [(s, r) for s, r in RESOURCES if f"Create{r.noun}" in s.contract.methods_by_name]
made = pytest.mark.parametrize(
    ("service", "resource"), MADE_BY_CALLERS, ids=[r.noun for _, r in MADE_BY_CALLERS]
)


@made
def test_create_takes_the_record_and_an_id(service: Service, resource: Resource) -> None:
    create = method(service, f"Create{resource.noun}")
    assert create.output_type is resource.record.DESCRIPTOR
    assert shape(create.input_type) == {
        resource.singular: 1, f"{resource.singular}_id": 2, "request_id": 3, "validate_only": 4, "effective_date": 5,
    }  # fmt: skip
    assert rules(create.input_type.fields_by_name[resource.singular]).required


@made
def test_update_takes_the_record_and_a_mask(service: Service, resource: Resource) -> None:
    update = method(service, f"Update{resource.noun}")
    assert update.output_type is resource.record.DESCRIPTOR
    assert shape(update.input_type) == {
        resource.singular: 1, "update_mask": 2, "request_id": 3, "validate_only": 4, "effective_date": 5,
    }  # fmt: skip


@made
def test_batches_imports_and_watches_have_their_shape(service: Service, resource: Resource) -> None:
    batch = method(service, f"BatchCreate{resource.plural}")
    assert shape(batch.input_type) == {"requests": 1, "request_id": 2, "validate_only": 3}
    assert rules(batch.input_type.fields_by_name["requests"]).repeated.max_items == 1000
    rows = method(service, f"Import{resource.plural}")
    assert (rows.client_streaming, rows.server_streaming) == (True, True)
    assert shape(rows.input_type) == {"source": 1, "rows": 2, "validate_only": 3}
    # An import's rows are looked at one by one: of them all together there is nothing else to ask.
    most = validate_pb2.RepeatedRules(max_items=MOST_ROWS)
    assert rules(rows.input_type.fields_by_name["rows"]) == validate_pb2.FieldRules(repeated=most)
    assert batches.MOST_ROWS == MOST_ROWS


@resources
def test_a_watch_streams_the_services_event(service: Service, resource: Resource) -> None:
    watch = method(service, f"Watch{resource.plural}")
    assert (watch.client_streaming, watch.server_streaming) == (False, True)
    assert watch.output_type is service.event.DESCRIPTOR
    revisions = method(service, f"List{resource.noun}Revisions")
    assert revisions.output_type.fields_by_name["revisions"].message_type is watch.output_type


@resources
def test_every_action_is_an_rpc_of_its_own(service: Service, resource: Resource) -> None:
    common = {"name": 1, "etag": 2, "request_id": 3, "validate_only": 4, "effective_date": 5}
    for action in resource.lifecycle.actions.keys() - {"update"}:
        rpc = method(service, rpc_name(action, resource.noun))
        assert rpc.output_type is resource.record.DESCRIPTOR
        have = shape(rpc.input_type)
        assert {name: have.get(name) for name in common} == common, rpc.full_name
        assert min((n for name, n in have.items() if name not in common), default=10) >= 10
        assert rpc.input_type.name == f"{rpc.name}Request"


def test_a_request_is_named_after_its_rpc() -> None:
    for service in REGISTRIES:
        for rpc in service.contract.methods:
            assert rpc.input_type.name == f"{rpc.name}Request"


def test_texts_that_callers_write_are_limited() -> None:
    """A list or a text without an end would let one request fill the journal."""
    unlimited = [
        f"{rpc.full_name}.{field.name}"
        for service in REGISTRIES
        for rpc in service.contract.methods
        for field in rpc.input_type.fields
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING
        and not field.is_repeated
        and not _is_limited(rules(field).string)
    ]
    assert unlimited == []


def _is_limited(rule: Any) -> bool:
    return bool(rule.max_len or rule.max_bytes or rule.pattern or getattr(rule, "in"))


# Personal data.


def test_a_personal_datum_stands_in_a_message_with_its_subject() -> None:
    holders = [m for s in REGISTRIES for m in _messages(s) if personal_fields(m)]
    assert holders
    for message in holders:
        subject = message.fields_by_name["subject"]
        assert subject.cpp_type == FieldDescriptor.CPPTYPE_STRING
        for name in personal_fields(message):
            field = message.fields_by_name[name]
            assert field.cpp_type == FieldDescriptor.CPPTYPE_STRING
            assert rules(field).string.max_len >= 47, "a commitment has to fit"


def _messages(service: Service) -> list[Descriptor]:
    found: dict[str, Descriptor] = {}
    todo = [m for rpc in service.contract.methods for m in (rpc.input_type, rpc.output_type)]
    while todo:
        message = todo.pop()
        if message.full_name not in found:
            found[message.full_name] = message
            todo += [f.message_type for f in message.fields if f.message_type is not None]
    return list(found.values())


def test_no_other_field_is_named_as_a_personal_datum_is() -> None:
    telling = {"phone", "telephone", "mobile", "identity_number", "id_card", "email", "birthday"}
    wrong = {
        f"{message.full_name}.{field.name}"
        for service in REGISTRIES
        for message in _messages(service)
        for field in message.fields
        if field.name in telling and field.name not in personal_fields(message)
    }
    assert wrong == set()
