"""Every registry that holds personal data: where it is, who sees it, what erasing a key does."""

from typing import Any

import pytest

from luoshu.journal.v1.journal_pb2 import Person
from tests.running import Running, Who, refusal
from tests.service.registry_suite import (
    APPLICANT,
    AUDITOR,
    NAME,
    NUMBER,
    OFFICER,
    PERSONAL,
    PHONE,
    Sample,
)

pytestmark = pytest.mark.parametrize("sample", PERSONAL, ids=str)
RECOMMENDER = Who("he", "410100", ("recommender",))
VALUES = (NAME, PHONE, NUMBER)


def person_of(sample: Sample, record: Any) -> Any:
    return getattr(record, sample.person)


def said(person: Any) -> tuple[str, str, str]:
    return person.name, person.phone, person.identity_number


def is_masked(person: Any) -> bool:
    return all(value.startswith("pc1:") and len(value) == 47 for value in said(person))


def test_personal_values_are_in_no_file_and_no_log(registries: Running, sample: Sample) -> None:
    record = sample.act(registries, sample.create(registries))
    (row,) = sample.enter(registries, sample.row("personal", sample.history()))
    assert row.name
    files = registries.files()
    assert "log.jsonl" in {path.name for path in files}
    assert any(record.name.encode() in path.read_bytes() for path in files), "not where it is kept"
    for path in files:
        content = path.read_bytes()
        assert [v for v in VALUES if v.encode() in content] == [], path.name


def test_a_person_is_shown_to_its_unit_and_to_who_works_on_it(
    registries: Running, sample: Sample
) -> None:
    record = sample.act(registries, sample.create(registries))
    assert said(person_of(sample, record)) == VALUES
    for who, shown in (
        (APPLICANT, True),
        (OFFICER, True),
        (Who("a", "DST", ("approver",)), True),
        (Who("a", "DST", ("expert_reviewer",)), False),
        (Who("a", "DST", ("auditor",)), False),
        (AUDITOR, False),
        (Who("a", "X", ("operator",)), False),
    ):
        person = person_of(sample, sample.get(registries, record.name, who))
        assert (said(person) == VALUES) is shown, who
        assert is_masked(person) is not shown, who
        page = sample.page(registries, who, filter=f'name = "{record.name}"')
        (listed,) = sample.listed(page)
        assert said(person_of(sample, listed)) == said(person), who


def test_a_recommender_sees_the_record_but_not_the_person(
    registries: Running, sample: Sample
) -> None:
    record = sample.act(registries, sample.create(registries))
    if "recommending_unit" not in sample.resource.record.DESCRIPTOR.fields_by_name:
        assert list(record.concerned_departments) == []  # nobody recommends it
        return
    assert list(record.concerned_departments) == [RECOMMENDER.department]
    assert is_masked(person_of(sample, sample.get(registries, record.name, RECOMMENDER)))


def test_streams_and_the_journal_hold_commitments(registries: Running, sample: Sample) -> None:
    head = registries.head(sample.service.name)
    record = sample.create(registries)
    stream = registries.watch(f"Watch{sample.plural}", APPLICANT, after_position=head)
    event = next(stream)
    stream.cancel()
    assert is_masked(person_of(sample, getattr(event, sample.singular)))
    (kept,) = registries.rows(
        sample.service.name, "SELECT event FROM journal WHERE record = ?", record.name
    )
    assert [v for v in VALUES if v.encode() in kept[0]] == []


def test_the_history_shows_persons_by_the_same_rights(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    sample.retitle(registries, record, "改名")
    for who, shown in ((APPLICANT, True), (AUDITOR, False)):
        was = sample.get(registries, record.name, who, revision=1)
        assert (said(person_of(sample, was)) == VALUES) is shown
        page = registries.call(f"List{sample.noun}Revisions", who, name=record.name)
        persons = [person_of(sample, getattr(e, sample.singular)) for e in page.revisions]
        assert [said(p) == VALUES for p in persons] == [shown] * 2


def test_a_person_is_the_same_pseudonym_everywhere(registries: Running, sample: Sample) -> None:
    first, second = (person_of(sample, sample.create(registries)) for _ in range(2))
    assert first.subject == second.subject != ""
    other = Person(name=NAME, identity_number="410102199003077778")
    third = registries.call(
        f"Create{sample.noun}",
        sample.author,
        **{sample.singular: sample.record(**{sample.person: other})},
    )
    assert person_of(sample, third).subject != first.subject


def test_a_person_is_changed_as_a_whole(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    given = sample.resource.record(
        name=record.name, **{sample.person: Person(name="李新", phone=PHONE)}
    )
    changed = registries.call(
        f"Update{sample.noun}",
        APPLICANT,
        **{sample.singular: given, "update_mask": {"paths": [sample.person]}},
    )
    assert said(person_of(sample, changed)) == ("李新", PHONE, "")


def test_what_was_read_masked_may_be_written_back(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    masked = person_of(sample, sample.get(registries, record.name, AUDITOR))
    given = sample.resource.record(name=record.name, **{sample.person: masked})
    mask = {"paths": [sample.person]}
    changed = registries.call(
        f"Update{sample.noun}", APPLICANT, **{sample.singular: given, "update_mask": mask}
    )
    assert said(person_of(sample, changed)) == VALUES


def test_a_commitment_of_another_record_is_no_value(registries: Running, sample: Sample) -> None:
    record = sample.create(registries)
    foreign = Person(name="pc1:" + "A" * 43)
    given = sample.resource.record(name=record.name, **{sample.person: foreign})
    mask = {"paths": [sample.person]}
    wrong = refusal(
        lambda: registries.call(
            f"Update{sample.noun}", APPLICANT, **{sample.singular: given, "update_mask": mask}
        )
    )
    assert [field for field, _ in wrong.problems] == [f"{sample.person}.name"]


def test_an_erased_person_stays_a_commitment(registries: Running, sample: Sample) -> None:
    erased = Person(name="王将去", identity_number=f"erased-{sample.noun}")
    draft = sample.record(**{sample.person: erased})
    said_again = {sample.singular: draft}
    record = registries.call(f"Create{sample.noun}", sample.author, **said_again)
    subject = person_of(sample, record).subject
    erase = "DELETE FROM subject WHERE subject = ?"
    assert registries.change(sample.service.name, erase, subject) == 1
    gone = person_of(sample, sample.get(registries, record.name))
    assert gone.name.startswith("pc1:")
    assert gone.identity_number.startswith("pc1:")
    again = registries.call(f"Create{sample.noun}", sample.author, **said_again)
    assert person_of(sample, again).name == "王将去"
    still = person_of(sample, sample.get(registries, record.name))
    assert still.name == gone.name
