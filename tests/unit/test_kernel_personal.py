"""Personal data: commitments in the record, values beside it, keys that can be destroyed."""

from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from kernel.personal import (
    Sealed,
    Vault,
    commit,
    commitment,
    commitments,
    people,
    reveal,
    seal,
    unseal,
)
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as pb
from tests.unit.kernel_world import SECRET

VAULT = Vault(SECRET)
KEY = bytes(32)


def committed(record: Any, old: Any = None, keys: dict[str, bytes] | None = None) -> list[Sealed]:
    keys = {} if keys is None else keys
    return commit(record, old, VAULT, lambda subject: keys.setdefault(subject, KEY))


def platform(**person: str) -> pb.Platform:
    return pb.Platform(contact=Person(**person))


def test_a_value_gives_way_to_its_commitment() -> None:
    record = platform(name="李四", phone="1")
    sealed = committed(record)
    assert record.contact.name == commitment(KEY, "name", "李四")
    assert record.contact.subject.startswith("ps1-")
    assert b"\xe6\x9d\x8e" not in record.SerializeToString()
    assert {s.commitment for s in sealed} == set(commitments(record))
    assert {s.subject for s in sealed} == {record.contact.subject}


@given(st.text(min_size=1))
def test_what_is_sealed_is_read_again(value: str) -> None:
    mark = commitment(KEY, "name", value)
    assert unseal(KEY, mark, seal(KEY, mark, "s", value).value) == value


def test_a_value_under_another_key_or_commitment_is_not_read() -> None:
    mark = commitment(KEY, "name", "李四")
    value = seal(KEY, mark, "s", "李四").value
    assert unseal(b"x" * 32, mark, value) is None
    assert unseal(KEY, commitment(KEY, "name", "王五"), value) is None


def test_the_same_value_is_sealed_differently_each_time() -> None:
    mark = commitment(KEY, "name", "李四")
    assert seal(KEY, mark, "s", "李四").value != seal(KEY, mark, "s", "李四").value


def test_a_commitment_depends_on_key_field_and_value() -> None:
    assert len({commitment(k, f, v) for k in (KEY, b"k" * 32) for f in "ab" for v in "xy"}) == 8
    assert len(commitment(KEY, "name", "李四")) == 47


def test_the_same_number_is_the_same_person_however_it_is_written() -> None:
    subjects = set()
    for number in ("41010219900307777X", "41010219900307777x", " 4101 0219900307777X", "４1010219900307777X"):  # fmt: skip
        record = platform(name="某", identity_number=number)
        committed(record)
        subjects.add(record.contact.subject)
    assert len(subjects) == 1


def test_without_a_number_everything_said_tells_the_person() -> None:
    first, second = platform(name="李四", phone="1"), platform(name="李四", phone="2")
    committed(first)
    committed(second)
    assert first.contact.subject != second.contact.subject


def test_a_callers_own_subject_is_not_believed() -> None:
    record = platform(name="李四", subject="ps1-forged")
    committed(record)
    assert record.contact.subject != "ps1-forged"
    empty = platform(subject="ps1-forged")
    committed(empty)
    assert empty.contact.subject == ""


def test_a_masked_record_comes_back_as_it_was() -> None:
    old = platform(name="李四", phone="1")
    committed(old)
    new = pb.Platform()
    new.CopyFrom(old)
    assert committed(new, old) == []
    assert new == old


def test_one_field_of_a_masked_person_can_be_changed() -> None:
    old = platform(name="李四", phone="1")
    committed(old)
    new = pb.Platform(contact=Person(name=old.contact.name, phone="2"))
    (sealed,) = committed(new, old)
    assert new.contact.subject == old.contact.subject
    assert new.contact.name == old.contact.name
    assert sealed.commitment == new.contact.phone != old.contact.phone


def test_a_commitment_that_the_record_did_not_have_is_refused() -> None:
    with pytest.raises(Invalid) as wrong:
        committed(platform(name="pc1:stolen"))
    assert wrong.value.field == "contact.name"


def test_values_stand_where_the_key_is_and_commitments_where_it_was() -> None:
    record = platform(name="李四", phone="1")
    marks = {s.commitment: s for s in committed(record)}
    mark = record.contact.phone
    values = {record.contact.name: unseal(KEY, record.contact.name, marks[record.contact.name].value) or ""}  # fmt: skip
    reveal(record, values)
    assert (record.contact.name, record.contact.phone) == ("李四", mark)


def test_a_destroyed_key_cannot_be_unwrapped_elsewhere() -> None:
    wrapped = VAULT.new_key()
    assert len(VAULT.unwrap(wrapped)) == 32
    with pytest.raises(InvalidTag):
        Vault(bytes(32)).unwrap(wrapped)
    assert VAULT.unwrap(VAULT.new_key()) != VAULT.unwrap(wrapped)


def test_people_are_found_wherever_they_stand() -> None:
    notice = pb.PublicNotice(objections=[pb.Objection(objector=Person(name="甲"))] * 2)
    record = pb.Platform(contact=Person(name="乙"), public_notice=notice)
    assert [path for path, _ in people(record)] == [
        "contact", "public_notice.objections[0].objector", "public_notice.objections[1].objector",
    ]  # fmt: skip
    assert len(committed(record)) == 3
    assert len(set(commitments(record))) == 2
