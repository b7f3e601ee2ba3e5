"""What is said too little, or with another unit's name, is told before anything changes."""

from typing import Any

from tests.running import Running, Who, refusal
from tests.service.registry_suite import SAMPLES

OFFICER = Who("li", "DST", ("case_officer",))
RECOMMENDER = Who("wang", "410100", ("recommender",))
PLATFORM = next(sample for sample in SAMPLES if sample.noun == "Platform")
APPLICATION = next(sample for sample in SAMPLES if sample.noun == "Application")
SAID: dict[str, Any] = {"opinion": "同意", "experts": 7, "score_hundredths": 9000}


def test_a_review_without_its_outcome_is_refused_and_changes_nothing(registries: Running) -> None:
    record = PLATFORM.act(registries, PLATFORM.create(registries))
    for action, who in (
        ("recommend", RECOMMENDER),
        ("accept", OFFICER),
        ("pass_formal_check", OFFICER),
    ):
        said: dict[str, Any] = {"opinion": "同意推荐"} if action == "recommend" else {}
        record = registries.call(PLATFORM.rpc(action), who, name=record.name, **said)
    before, review = registries.head("platforms"), PLATFORM.rpc("record_expert_review")
    wrong = refusal(lambda: registries.call(review, OFFICER, name=record.name, **SAID))
    assert wrong.code == "INVALID_ARGUMENT"
    assert "passed" in {field for field, _ in wrong.problems}
    assert registries.head("platforms") == before
    passed = registries.call(review, OFFICER, name=record.name, passed=True, **SAID)
    assert passed.expert_reviews[0].experts == 7


def test_a_recommending_unit_is_kept_by_its_id(registries: Running) -> None:
    for sample in (PLATFORM, APPLICATION):
        record = sample.record(recommending_unit="郑州市")
        said = {sample.singular: record}
        made = registries.call(f"Create{sample.noun}", sample.author, **said)
        assert made.recommending_unit == "410100"


def test_a_reference_to_nothing_is_refused_with_the_draft(registries: Running) -> None:
    record = APPLICATION.record(platforms=["platforms/nowhere"])
    wrong = refusal(
        lambda: registries.call("CreateApplication", APPLICATION.author, application=record)
    )
    assert {field for field, _ in wrong.problems} == {"platforms[0]"} or "nowhere" in wrong.text
