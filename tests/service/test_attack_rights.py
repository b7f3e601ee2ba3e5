"""Ways round the rights: the past of what was published, records that others hide, guesses at persons."""

import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from luoshu.journal.v1.journal_pb2 import Person
from tests.running import Running, Who, refusal
from tests.service.registry_suite import (
    APPLICANT,
    APPROVER,
    AUDITOR,
    NUMBER,
    OFFICER,
    SAMPLES,
    STRANGER,
)

PLATFORM, _, PROGRAMME, CALL, APPLICATION = SAMPLES


def published(running: Running) -> tuple[Any, Timestamp]:
    """Return a programme that everybody sees, and a moment at which it was a draft of its department."""
    draft = PROGRAMME.create(running, title="草案")
    seen = Timestamp()
    seen.CopyFrom(draft.update_time)
    running.call("ActivateProgramme", APPROVER, name=draft.name)
    return draft, seen


def test_a_published_records_draft_is_not_shown_to_a_stranger(registries: Running) -> None:
    draft, seen = published(registries)
    assert PROGRAMME.get(registries, draft.name, STRANGER).state != draft.state
    for past in ({"revision": 1}, {"read_time": seen}):
        said = dict[str, Any](past)
        wrong = refusal(lambda said=said: PROGRAMME.get(registries, draft.name, STRANGER, **said))
        assert wrong.code == "NOT_FOUND", past
        for who in (OFFICER, AUDITOR):
            assert PROGRAMME.get(registries, draft.name, who, **said).revision == 1


def test_the_revisions_of_a_published_record_begin_with_its_publication(
    registries: Running,
) -> None:
    draft, _ = published(registries)
    for who, revisions in ((STRANGER, [2]), (OFFICER, [2, 1]), (AUDITOR, [2, 1])):
        page = registries.call("ListProgrammeRevisions", who, name=draft.name)
        assert [event.change.revision for event in page.revisions] == revisions


def test_pages_of_revisions_lead_past_those_that_are_hidden(registries: Running) -> None:
    draft, _ = published(registries)
    first = registries.call("ListProgrammeRevisions", STRANGER, name=draft.name, page_size=1)
    last = registries.call(
        "ListProgrammeRevisions",
        STRANGER,
        name=draft.name,
        page_size=1,
        page_token=first.next_page_token,
    )
    assert [e.change.revision for e in first.revisions] == [2]
    assert (list(last.revisions), last.next_page_token) == ([], "")


def test_a_list_of_the_past_shows_what_a_watch_of_the_past_would(registries: Running) -> None:
    draft, seen = published(registries)
    where = {"read_time": seen, "filter": f'name = "{draft.name}"'}
    for who, count in ((STRANGER, 0), (OFFICER, 1), (AUDITOR, 1)):
        assert len(PROGRAMME.listed(PROGRAMME.page(registries, who, **where))) == count


def test_a_hidden_call_and_none_at_all_are_refused_alike(registries: Running) -> None:
    hidden = CALL.create(registries)
    texts = {
        name: refusal(
            lambda name=name: registries.call(
                "CreateApplication", APPLICANT, application=APPLICATION.record(call=name)
            )
        )
        for name in (hidden.name, "calls/none")
    }
    assert {wrong.code for wrong in texts.values()} == {"NOT_FOUND"}
    assert len({wrong.text.replace(name, "") for name, wrong in texts.items()}) == 1


def test_a_guess_at_a_person_that_is_only_tried_tells_nothing(registries: Running) -> None:
    known = PLATFORM.create(registries)
    assert known.contact.subject
    guess = PLATFORM.record(contact=Person(identity_number=NUMBER))
    answer = registries.call("CreatePlatform", APPLICANT, platform=guess, validate_only=True)
    assert "pc1:" not in str(answer)
    assert answer.contact.subject == ""
    batch = registries.call(
        "BatchCreatePlatforms", APPLICANT, requests=[{"platform": guess}], validate_only=True
    )
    assert "ps1-" not in str(batch)


def test_a_department_that_is_said_twice_is_refused(registries: Running) -> None:
    class Twice(Who):
        @property
        def metadata(self) -> tuple[tuple[str, str], ...]:
            return (*super().metadata, ("luoshu-department", "DIIT"))

    twice = Twice("li", "DST", ("case_officer",))
    wrong = refusal(lambda: registries.call("ListPlatforms", twice))
    assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "IDENTITY_MALFORMED")


def test_a_stranger_learns_from_a_filter_only_of_what_it_sees(registries: Running) -> None:
    secret = f"暗{datetime.datetime.now(datetime.UTC).timestamp()}"
    PLATFORM.create(registries, title=secret)
    for text in (
        f'title = "{secret}"',
        f'NOT title = "没有{secret}"',
        f'title:"{secret}" OR title:"{secret}"',
    ):
        titles = [
            r.title for r in PLATFORM.listed(PLATFORM.page(registries, STRANGER, filter=text))
        ]
        assert secret not in titles
