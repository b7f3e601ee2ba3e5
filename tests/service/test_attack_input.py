"""Input that nobody means well with holds nobody up, and is told what is wrong with it. More of it: tests/hostile."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from luoshu.platforms.v1 import platforms_pb2
from tests.running import Running, refusal
from tests.service.registry_suite import APPLICANT, AUDITOR, SAMPLES


def test_a_message_made_to_break_rules_holds_nobody_up(registries: Running) -> None:
    unit = platforms_pb2.Unit(code="x")
    platform = platforms_pb2.Platform(title="甲", co_building_units=[unit] * 500_000)
    request = platforms_pb2.CreatePlatformRequest(platform=platform)
    with ThreadPoolExecutor(1) as threads:
        attack = threads.submit(
            refusal, lambda: registries.ask("CreatePlatform", APPLICANT, request, 60)
        )
        slowest = 0.0
        while not attack.done():
            began = time.perf_counter()
            registries.call("ListPlatforms", AUDITOR, page_size=1)
            slowest = max(slowest, time.perf_counter() - began)
    assert attack.result().code == "INVALID_ARGUMENT"
    assert slowest < 2


def test_wrong_rows_of_an_import_are_told_each_with_its_own_problems(registries: Running) -> None:
    sample = SAMPLES[0]
    wrong = sample.history(title="", division="x")
    rows = [sample.row(f"told-{n}", wrong if n % 2 else None) for n in range(6)]
    results = sample.enter(registries, *rows)
    for number, result in enumerate(results):
        fields = sorted(problem.field for problem in result.problems)
        assert fields == (["division", "title"] if number % 2 else []), result


def test_an_import_that_is_wrong_as_a_whole_is_refused(registries: Running) -> None:
    sample = SAMPLES[0]
    for said in ({"source": ""}, {"source": "x" * 65}):
        message = sample.rows(sample.row("whole"), **said)
        wrong = refusal(
            lambda message=message: registries.feed("ImportPlatforms", sample.importer, [message])
        )
        assert wrong.code == "INVALID_ARGUMENT", said
        assert [field for field, _ in wrong.problems] == ["source"]


@pytest.mark.parametrize("token", ["AAAA", "=", "é", "A" * 4096, "\0"])
def test_a_forged_page_token_is_refused(registries: Running, token: str) -> None:
    for rpc, said in (("ListPlatforms", {}), ("ListCalls", {"filter": "title:甲"})):
        wrong = refusal(
            lambda rpc=rpc, said=said: registries.call(rpc, AUDITOR, page_token=token, **said)
        )
        assert wrong.code == "INVALID_ARGUMENT"


def test_a_historical_platform_is_completed_though_nobody_knows_what_was_asked(
    registries: Running,
) -> None:
    sample = SAMPLES[0]
    asked = platforms_pb2.Platform.STATE_COMPLETION_REQUESTED
    (row,) = sample.enter(registries, sample.row("asked", sample.history(state=asked)))
    done = registries.call("CompletePlatform", APPLICANT, name=row.name, explanation="已补正")
    assert [request.explanation for request in done.completion_requests] == ["已补正"]
