"""Every service as a process of its own: references, the joint review's way, and consumers that die."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from app.catalogue import NAMES, REGISTRIES
from kernel import database
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.funding.v1 import funding_pb2 as funding
from services.audit.check import all_is_signed, verify_stored
from services.audit.keys import parse_signer
from tests import invariants
from tests.flow.province import (
    APPLICANT,
    FINANCE,
    IMPORTER,
    OFFICER,
    Funding,
    messages,
    platform,
    today,
)
from tests.flow.separate import Separate, addresses, until
from tests.running import refusal

IN_JOINT_REVIEW = funding.Application.STATE_IN_JOINT_REVIEW
STATE = funding.Application.State
SERVICES = {service.name: service for service in REGISTRIES}


class Province:
    """Six processes that find one another by their addresses."""

    def __init__(self, folder: Path) -> None:
        environment = addresses(NAMES)
        self.processes = {name: Separate((name,), folder, environment) for name in NAMES}

    def start(self) -> "Province":
        for process in self.processes.values():
            process.spawn()
        with ThreadPoolExecutor() as pool:
            list(pool.map(Separate.ready, self.processes.values()))
        return self

    def __getitem__(self, name: str) -> Separate:
        return self.processes[name]

    def stop(self) -> list[int]:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(Separate.stop, self.processes.values()))

    def head(self, service: str) -> int:
        return int(self.rows(service, "SELECT position FROM journal_head")[0][0])

    def rows(self, service: str, sql: str) -> list[Any]:
        return self[service].rows(sql)

    def cursor(self, consumer: str, source: str) -> int:
        table = "cursor" if consumer == "audit" else "consumer_cursor"
        found = self.rows(consumer, f"SELECT position FROM {table} WHERE source = '{source}'")
        return int(found[0][0]) if found else 0

    def is_past(self, consumer: str, source: str, position: int) -> bool:
        return self.cursor(consumer, source) > position

    def caught_up(self, consumer: str, source: str) -> bool:
        return self.cursor(consumer, source) == self.head(source)


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    province = Province(tmp_path_factory.mktemp("province"))
    try:
        yield province.start()
    finally:
        stopped = province.stop()
    assert set(stopped) == {0}


@pytest.fixture(scope="module")
def applying(province: Province) -> Funding:
    return Funding(province["funding"].call, today()).furnish()


def create_platform(province: Province, id_: str) -> str:
    request = {"platform": platform(f"平台 {id_}"), "platform_id": id_}
    return str(province["platforms"].call("CreatePlatform", APPLICANT, **request).name)


def import_platforms(province: Province, count: int, source: str) -> None:
    sent = list(messages(count))
    for message in sent:
        message.source = source
    answers = province["platforms"].feed("ImportPlatforms", IMPORTER, sent)
    assert all(result.name for answer in answers for result in answer.results)


# References.


def test_an_application_may_name_a_platform_that_funding_has_not_heard_of(
    province: Province, applying: Funding
) -> None:
    """Funding is busy following an import, so the newest platform is known to its owner alone."""
    for attempt in range(5):
        import_platforms(province, 2000, f"busy-{attempt}")
        name = create_platform(province, f"unheard-{attempt}")
        draft = applying.draft(platforms=[name])
        assert applying.submit(draft).state == STATE.STATE_SUBMITTED
        if province.cursor("funding", "platforms") < province.head("platforms"):
            return
    pytest.fail("funding had always heard of it; the owner was never asked")


def test_a_platform_that_no_owner_knows_is_not_found(province: Province, applying: Funding) -> None:
    refused = refusal(lambda: applying.draft(platforms=["platforms/nowhere"]))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "REFERENCE_UNKNOWN")
    assert "platforms/nowhere" in refused.text


def test_with_the_owner_down_only_references_that_were_heard_of_are_taken(
    province: Province, applying: Funding
) -> None:
    known = create_platform(province, "known")
    until(lambda: province.caught_up("funding", "platforms"), "funding to hear of it")
    with_known = applying.draft(platforms=[known])
    province["platforms"].kill()
    try:
        assert applying.submit(with_known).state == STATE.STATE_SUBMITTED
        before = province.head("funding")
        refused = refusal(lambda: applying.draft(platforms=[known, "platforms/unknown"]))
        assert refused.code == "UNAVAILABLE"
        assert "platforms must be asked about platforms/unknown" in refused.text
        assert "未响应" in refused.zh
        assert province.head("funding") == before
    finally:
        province["platforms"].start()
    create_platform(province, "unknown")
    until(lambda: _drafted(applying, [known, "platforms/unknown"]), "the owner to be asked again")


def _drafted(applying: Funding, named: list[str]) -> bool:
    try:
        return bool(applying.draft(platforms=named))
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False


# The joint review's way.


def test_a_joint_review_travels_to_coordination_and_back(
    province: Province, applying: Funding
) -> None:
    draft = applying.draft()
    assert applying.open_joint_review(draft).state == IN_JOINT_REVIEW
    review = opened(province, draft)
    assert [opinion.department for opinion in review.opinions] == ["FINANCE"]
    agree_with = {
        "verdict": coordination.VERDICT_AGREE_WITH_CONDITIONS,
        "conditions": ["分两年拨付"],
    }
    province["coordination"].call("OpineReview", FINANCE, name=review.name, **agree_with)
    concluded = until(lambda: in_state(province, draft, STATE.STATE_JOINTLY_REVIEWED))
    assert concluded.joint_review.review == review.name
    assert concluded.joint_review.outcome == funding.JOINT_REVIEW_OUTCOME_AGREED
    assert "分两年拨付" in concluded.joint_review.conditions


def opened(province: Province, application: str) -> coordination.Review:
    def listed() -> list[coordination.Review]:
        asked = {"filter": f'application = "{application}"'}
        return list(province["coordination"].call("ListReviews", FINANCE, **asked).reviews)

    (review,) = until(listed, "the review")
    return review


def in_state(province: Province, name: str, state: int) -> funding.Application | None:
    found = province["funding"].call("GetApplication", OFFICER, name=name)
    return found if found.state == state else None


@pytest.mark.parametrize("dead", ["coordination", "funding"])
def test_a_joint_review_goes_on_when_one_of_its_services_was_dead(
    province: Province, applying: Funding, dead: str
) -> None:
    """Each is killed when the other has something to tell it."""
    draft = applying.draft()
    if dead == "coordination":
        province[dead].kill()
    applying.open_joint_review(draft)
    if dead == "coordination":
        province[dead].start()
    review = opened(province, draft)
    if dead == "funding":
        province[dead].kill()
    agree = {"verdict": coordination.VERDICT_AGREE}
    province["coordination"].call("OpineReview", FINANCE, name=review.name, **agree)
    if dead == "funding":
        province[dead].start()
    until(lambda: in_state(province, draft, STATE.STATE_JOINTLY_REVIEWED), "the outcome")
    told = province.rows(
        "funding",
        f"SELECT count(*) FROM journal WHERE record = '{draft}' AND request_id LIKE 'funding~coord%'",
    )
    assert told == [(1,)]


# Consumers that die.


@pytest.mark.parametrize("consumer", ["audit", "reports", "funding"])
def test_a_consumer_killed_while_it_catches_up_loses_nothing_and_applies_nothing_twice(
    province: Province, consumer: str
) -> None:
    province[consumer].kill()
    import_platforms(province, 3000, f"while-{consumer}-is-dead")
    killed_behind = []
    for _ in range(2):
        before = province.cursor(consumer, "platforms")
        province[consumer].start()
        until(partial(province.is_past, consumer, "platforms", before), "it to go on")
        province[consumer].kill()
        killed_behind.append(not province.caught_up(consumer, "platforms"))
    assert any(killed_behind), "it was never killed while it caught up"
    province[consumer].start()
    until(lambda: province.caught_up(consumer, "platforms"), f"{consumer} to catch up")
    DEMANDS[consumer](province)


def demand_audit(province: Province) -> None:
    """I3, I5: the log has every journal's exact bytes, once, and proves it."""
    for source in SERVICES:
        until(partial(province.caught_up, "audit", source), source)
        invariants.demand_audited(journal(province, source), province["audit"].database(), source)
    folder = province["audit"].folder
    signer = parse_signer((folder / "audit.key").read_text("utf-8").strip())
    engine = database.reading(province["audit"].database())
    until(partial(all_is_signed, engine), "all to be signed")
    with engine.connect() as tx:
        report = verify_stored(tx, signer.verifier.encoded())
    engine.dispose()
    assert not report.findings


def demand_reports(province: Province) -> None:
    """I3: a fact for every change, and none twice."""
    for source in SERVICES:
        until(partial(province.caught_up, "reports", source), source)
        invariants.demand_reported(
            journal(province, source), province["reports"].database(), source
        )


def demand_known(province: Province) -> None:
    """What may be referred to is what the owner's journal told last."""
    invariants.demand_sound(province["funding"].database(), SERVICES["funding"])
    known = province.rows("funding", "SELECT name, position FROM known_record")
    told = {line.record: line.position for line in journal(province, "platforms")}
    told.pop("clock", None)
    assert {n: p for n, p in known if n.startswith("platforms/")} == told


DEMANDS = {
    "audit": demand_audit,
    "reports": demand_reports,
    "funding": demand_known,
}


def journal(province: Province, source: str) -> list[invariants.Line]:
    return invariants.seen(province[source].database(), SERVICES[source]).lines


def test_a_consumer_tells_how_far_it_is_behind_a_journal_of_another_process(
    province: Province,
) -> None:
    """It is held back by its own database: somebody else writes in it."""
    until(lambda: province.caught_up("reports", "platforms"), "reports to catch up")
    engine = database.writing(province["reports"].database())
    with engine.connect() as tx:
        tx.execute(sa.text("SELECT 1"))
        import_platforms(province, 500, "held-back")
        until(lambda: lag(province) >= 500, "the lag to show")
    engine.dispose()
    until(lambda: lag(province) == 0, "the lag to go")


def lag(province: Province) -> float:
    sample = 'luoshu_consumer_lag_events{consumer="reports",source="platforms"}'
    return province["reports"].metrics().get(sample, -1)
