"""Eligibility on a real database: persons are known again by their pseudonym, and every rule is explained."""

from typing import Any

import pytest

from kernel.dates import ONE_DAY, from_date
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from tests.running import Running, Who, refusal
from tests.service.access_events import events
from tests.service.registry_suite import (
    APPLICANT,
    APPROVER,
    AUDITOR,
    NEIGHBOUR,
    OFFICER,
    STRANGER,
    TODAY,
    an_application,
)

DOCUMENT = {"document_number": "豫科监〔2026〕3号"}
RESEARCHER = Person(name="上官云锦", identity_number="410102198001010011")
SECOND = Who("sun", "DST", ("approver",))


def drafted(running: Running, person: Person, **more: Any) -> str:
    application = an_application()
    application.principal_investigator.CopyFrom(person)
    application.MergeFrom(pb.Application(**more))
    return str(running.call("CreateApplication", APPLICANT, application=application).name)


def explained(running: Running, name: str, who: Who = APPLICANT, **said: Any) -> dict[str, Any]:
    found = running.call("CheckEligibility", who, name=name, **said)
    return {finding.rule: finding for finding in found.findings}


@pytest.fixture(scope="module")
def sanctioned(registries: Running) -> str:
    """The name of a sanction of the researcher, entered by one and imposed by another."""
    sanction = pb.Sanction(title="科研失信", person=RESEARCHER, **DOCUMENT)
    sanction.from_date.CopyFrom(from_date(TODAY - ONE_DAY * 5))
    sanction.to_date.CopyFrom(from_date(TODAY + ONE_DAY * 5))
    name = registries.call("CreateSanction", OFFICER, sanction=sanction).name
    wrong = refusal(lambda: registries.call("ImposeSanction", OFFICER, name=name))
    assert wrong.code == "PERMISSION_DENIED"
    registries.call("ImposeSanction", APPROVER, name=name)
    return str(name)


def test_a_sanctioned_person_is_known_again_in_another_record(
    registries: Running, sanctioned: str
) -> None:
    name = drafted(registries, RESEARCHER)
    wrong = refusal(lambda: registries.call("SubmitApplication", APPLICANT, name=name))
    assert (wrong.code, wrong.reason) == ("FAILED_PRECONDITION", "SANCTIONED")
    assert RESEARCHER.name not in wrong.text + wrong.zh
    finding = explained(registries, name)["sanctions"]
    assert finding.outcome == pb.RULE_OUTCOME_FAILED
    assert [fact.value for fact in finding.facts if fact.key == "sanction"] == [sanctioned]
    later = from_date(TODAY + ONE_DAY * 6)
    assert explained(registries, name, date=later)["sanctions"].outcome == pb.RULE_OUTCOME_PASSED


def test_departments_see_a_sanction_in_force_and_units_do_not(
    registries: Running, sanctioned: str
) -> None:
    assert registries.call("GetSanction", STRANGER, name=sanctioned).title == "科研失信"
    for who in (APPLICANT, NEIGHBOUR):
        wrong = refusal(lambda who=who: registries.call("GetSanction", who, name=sanctioned))  # type: ignore[misc]
        assert wrong.code == "NOT_FOUND"


def test_every_rule_is_explained_in_both_languages(registries: Running) -> None:
    name = drafted(registries, Person(name="某", identity_number="410102198001010022"))
    found = registries.call("CheckEligibility", OFFICER, name=name)
    assert found.stage == pb.ELIGIBILITY_STAGE_SUBMISSION
    assert found.eligible
    assert {f.rule for f in found.findings} == {
        r.id for r in registries.process.rooms["funding"].pack.eligibility
    }
    for finding in found.findings:
        assert finding.source
        assert finding.text_en
        assert any(sign >= "\u4e00" for sign in finding.text_zh)
    assert explained(registries, name, AUDITOR).keys() == {f.rule for f in found.findings}


def test_what_the_rules_say_of_an_application_is_told_to_those_who_work_on_it(
    registries: Running,
) -> None:
    name = drafted(registries, Person(name="某", identity_number="410102198001010033"))
    for who in (NEIGHBOUR, STRANGER):
        wrong = refusal(lambda who=who: registries.call("CheckEligibility", who, name=name))  # type: ignore[misc]
        assert wrong.code == "NOT_FOUND"


def test_an_override_needs_a_second_account_and_lets_the_application_pass(
    registries: Running,
) -> None:
    name = drafted(
        registries,
        Person(name="某", identity_number="410102198001010044"),
        recommending_unit="410100",
    )
    other = drafted(registries, Person(name="某", identity_number="410102198001010044"))
    changed = pb.Application(name=other, recommending_unit="410300")
    mask = {"paths": ["recommending_unit"]}
    registries.call("UpdateApplication", APPLICANT, application=changed, update_mask=mask)
    registries.call("SubmitApplication", APPLICANT, name=other)
    wrong = refusal(lambda: registries.call("SubmitApplication", APPLICANT, name=name))
    assert wrong.reason == "RECOMMENDING_UNITS"
    said = {"rule": "one-recommending-unit", "stage": pb.ELIGIBILITY_STAGE_SUBMISSION}
    registries.call("RequestOverrideApplication", OFFICER, name=name, reason="两地共建", **said)
    decision = {"name": name, "number": 1, "granted": True, "reason": "同意"}
    both = Who(OFFICER.actor, "DST", ("approver",))
    wrong = refusal(lambda: registries.call("DecideOverrideApplication", both, **decision))
    assert wrong.reason == "FOUR_EYES"
    registries.call("DecideOverrideApplication", SECOND, **decision)
    (told,) = [e for e in events(registries, "funding") if e.change.action == "overridden"]
    change = told.change
    assert (change.record, change.reason) == (name, "同意")
    assert (change.actor, change.department, list(change.roles)) == ("sun", "DST", ["approver"])
    assert len(told.access.request_hash) == 16
    assert dict(told.access.details) == {
        "rule": "one-recommending-unit",
        "stage": "ELIGIBILITY_STAGE_SUBMISSION",
        "requested_by": OFFICER.actor,
    }
    submitted = registries.call("SubmitApplication", APPLICANT, name=name)
    assert [override.decided_by for override in submitted.overrides] == [SECOND.actor]
    found = explained(registries, name, stage=pb.ELIGIBILITY_STAGE_SUBMISSION)
    finding = found["one-recommending-unit"]
    assert (finding.outcome, finding.override_number) == (pb.RULE_OUTCOME_OVERRIDDEN, 1)
