"""Every registry: what a change does, and what a refused one does not."""

import time
from functools import partial
from typing import Any

import grpc
import pytest

from kernel.room import Room
from tests.running import NOBODY, Running, Who, new_request_id, refusal
from tests.service.registry_suite import AUDITOR, SAMPLES, STRANGER, Sample

pytestmark = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def creation(sample: Sample, request_id: str, **said: Any) -> dict[str, Any]:
    return {sample.singular: sample.record(**said), "request_id": request_id}


def test_the_same_request_twice_makes_one_record_and_the_same_answer(
    registries: Running, sample: Sample
) -> None:
    said = creation(sample, new_request_id())
    first = registries.call(f"Create{sample.noun}", sample.author, **said)
    before = registries.head(sample.service.name)
    again = registries.call(f"Create{sample.noun}", sample.author, **said)
    assert again == first
    assert registries.head(sample.service.name) == before


def test_the_same_action_twice_is_done_once(registries: Running, sample: Sample) -> None:
    record, once = sample.create(registries), new_request_id()
    first = sample.act(registries, record, request_id=once)
    assert sample.act(registries, record, request_id=once) == first
    assert first.revision == 2


def test_a_request_id_with_another_content_is_refused(registries: Running, sample: Sample) -> None:
    used = new_request_id()
    registries.call(f"Create{sample.noun}", sample.author, **creation(sample, used))
    other = creation(sample, used, title="另一内容")
    wrong = refusal(lambda: registries.call(f"Create{sample.noun}", sample.author, **other))
    assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert used in wrong.text
    assert "UUID" in wrong.text
    assert "UUID" in wrong.zh


def test_another_actors_request_id_is_refused(registries: Running, sample: Sample) -> None:
    said = creation(sample, new_request_id())
    registries.call(f"Create{sample.noun}", sample.author, **said)
    other = Who("somebody-else", sample.author.department, sample.author.roles)
    wrong = refusal(lambda: registries.call(f"Create{sample.noun}", other, **said))
    assert wrong.reason == "REQUEST_ID_REUSED"


def test_a_stale_etag_is_refused_with_what_to_do(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    sample.retitle(registries, record, "新名称", etag=record.etag)
    for stale in (
        lambda: sample.retitle(registries, record, "又一名称", etag=record.etag),
        lambda: sample.act(registries, record, etag=record.etag),
    ):
        wrong = refusal(stale)
        assert (wrong.code, wrong.reason) == ("ABORTED", "STALE_ETAG")
        assert "read it again" in wrong.text
        assert "r2" in wrong.text


def test_a_forbidden_action_is_refused_and_the_allowed_ones_are_named(
    registries: Running, sample: Sample
) -> None:
    record, (action, _, own) = sample.create(registries), sample.forbidden
    before, who = registries.head(sample.service.name), sample.first[1]
    wrong = refusal(lambda: registries.call(sample.rpc(action), who, name=record.name, **own))
    assert (wrong.code, wrong.reason) == ("FAILED_PRECONDITION", "STATE_FORBIDS")
    assert f"cannot {action} while STATE_DRAFT; allowed: " in wrong.text
    assert sample.first[0] in wrong.text.partition("allowed: ")[2]
    assert registries.head(sample.service.name) == before


def test_a_role_that_may_only_see_cannot_act(registries: Running, sample: Sample) -> None:
    record, (action, _, own) = sample.create(registries), sample.first
    wrong = refusal(lambda: registries.call(sample.rpc(action), AUDITOR, name=record.name, **own))
    assert (wrong.code, wrong.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")
    wrong = refusal(lambda: sample.create(registries, AUDITOR))
    assert wrong.code == "PERMISSION_DENIED"


def test_what_a_department_may_not_see_is_not_found(registries: Running, sample: Sample) -> None:
    record, (action, _, own) = sample.create(registries), sample.first
    calls = (
        lambda: sample.get(registries, record.name, STRANGER),
        lambda: registries.call(sample.rpc(action), STRANGER, name=record.name, **own),
        lambda: registries.call(f"List{sample.noun}Revisions", STRANGER, name=record.name),
        lambda: sample.get(registries, f"{sample.collection}/there-is-none"),
    )
    assert {refusal(call).code for call in calls} == {"NOT_FOUND"}
    found = sample.page(registries, STRANGER, filter=f'name = "{record.name}"')
    assert sample.listed(found) == []


def test_a_call_that_says_nobody_is_unauthenticated(registries: Running, sample: Sample) -> None:
    calls = (
        lambda: sample.create(registries, NOBODY),
        lambda: sample.page(registries, NOBODY),
        lambda: list(registries.watch(f"Watch{sample.plural}", NOBODY)),
        lambda: registries.feed(f"Import{sample.plural}", NOBODY, [sample.rows()]),
    )
    wrongs = [refusal(call) for call in calls]
    assert {wrong.code for wrong in wrongs} == {"UNAUTHENTICATED"}
    assert len({wrong.text for wrong in wrongs}) == 1


def test_validate_only_answers_and_changes_nothing(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    before, stored = registries.head(sample.service.name), sample.get(registries, record.name)
    made = sample.create(registries, validate_only=True)
    moved = sample.act(registries, record, validate_only=True)
    renamed = sample.retitle(registries, record, "试改名", validate_only=True)
    assert (made.revision, moved.revision, renamed.title) == (1, 2, "试改名")
    assert registries.head(sample.service.name) == before
    assert sample.get(registries, record.name) == stored
    assert refusal(lambda: sample.get(registries, made.name)).code == "NOT_FOUND"


def test_validate_only_refuses_what_would_be_refused(registries: Running, sample: Sample) -> None:
    record, (action, who, own) = sample.create(registries), sample.forbidden
    said = {"name": record.name, "validate_only": True, **own}
    wrong = refusal(lambda: registries.call(sample.rpc(action), who, **said))
    assert wrong.reason == "STATE_FORBIDS"


def test_an_update_writes_the_masked_fields_only(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    given = sample.record(name=record.name, title="只改名称")
    mask = {"paths": ["title"]}
    said = {sample.singular: given, "update_mask": mask}
    changed = registries.call(f"Update{sample.noun}", sample.author, **said)
    assert changed.title == "只改名称"
    for own in ("title", "revision", "etag", "update_time"):
        for message in (record, changed):
            message.ClearField(own)
    assert changed == record


@pytest.mark.parametrize("path", ["nonsense", "owner_unit", "state", "origin", "contact.name", "*"])
def test_an_update_of_what_cannot_be_written_is_refused(
    registries: Running, sample: Sample, path: str
) -> None:
    record = sample.create(registries)
    given = sample.record(name=record.name)
    said = {sample.singular: given, "update_mask": {"paths": [path]}}
    wrong = refusal(lambda: registries.call(f"Update{sample.noun}", sample.author, **said))
    assert wrong.code == "INVALID_ARGUMENT"
    assert [field for field, _ in wrong.problems] == ["update_mask"]
    assert "title" in wrong.text


def test_an_update_without_a_name_is_refused(registries: Running, sample: Sample) -> None:
    for name in ("", "elsewhere/x", f"{sample.collection}/Ä", f"{sample.collection}/\0"):
        said = {sample.singular: sample.record(name=name)}
        wrong = refusal(partial(registries.call, f"Update{sample.noun}", sample.author, **said))
        assert wrong.code == "INVALID_ARGUMENT"
        assert wrong.problems[0][0] == f"{sample.singular}.name"


def test_a_field_has_one_path_whoever_finds_it_wrong(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    for title in ("长" * 1000, " "):  # the contract's rule, and the domain's
        for attempt in (
            partial(sample.create, registries, title=title),
            partial(sample.retitle, registries, record, title),
        ):
            assert refusal(attempt).problems[0][0] == f"{sample.singular}.title"


def test_a_taken_id_is_refused(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    said = {f"{sample.singular}_id": record.name.partition("/")[2]}
    assert refusal(lambda: sample.create(registries, **said)).code == "ALREADY_EXISTS"


def test_a_change_that_is_true_from_tomorrow_on_is_refused(
    registries: Running, sample: Sample
) -> None:
    record = sample.create(registries)
    tomorrow = {"year": 2199, "month": 1, "day": 1}
    wrong = refusal(lambda: sample.act(registries, record, effective_date=tomorrow))
    assert wrong.problems[0][0] == "effective_date"
    wrong = refusal(lambda: sample.act(registries, record, effective_date={"year": 2025}))
    assert wrong.code == "INVALID_ARGUMENT"


def test_an_event_over_the_limit_is_refused_with_its_size(
    registries: Running, sample: Sample
) -> None:
    wrong = refusal(lambda: registries.call(f"Create{sample.noun}", sample.author, **huge(sample)))
    assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "EVENT_TOO_LARGE")
    assert "61440" in wrong.text
    assert "61440" in wrong.zh


def huge(sample: Sample) -> dict[str, Any]:
    """A field that the contract does not know travels with the record, and counts."""
    record = sample.record()
    length = 61_440
    unknown = b"\xfa\x7f" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
    record.MergeFromString(unknown + bytes(length))
    return {sample.singular: record}


def test_a_text_with_nul_is_refused(registries: Running, sample: Sample) -> None:
    said = {sample.singular: sample.record(title="一\0二")}
    wrong = refusal(lambda: registries.call(f"Create{sample.noun}", sample.author, **said))
    assert wrong.code == "INVALID_ARGUMENT"
    assert "NUL" in wrong.text


def test_an_answer_tells_what_the_caller_may_do_next(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    action, who, _ = sample.first
    assert action in sample.get(registries, record.name, who).allowed_actions
    assert list(sample.get(registries, record.name, AUDITOR).allowed_actions) == []


def test_a_deadline_that_is_over_is_exceeded(
    registries: Running, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Room.read_here

    def later(room: Room, *asked: Any) -> Any:
        time.sleep(0.3)
        return read(room, *asked)

    monkeypatch.setattr(Room, "read_here", later)
    with pytest.raises(grpc.RpcError) as caught:
        registries.call(f"List{sample.plural}", AUDITOR, timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
