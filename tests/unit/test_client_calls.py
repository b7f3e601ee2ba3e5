"""What the client does to a call: identity, deadline, request id, retry, pages."""

from types import SimpleNamespace
from urllib.parse import unquote

import grpc
import pytest
from google.rpc.status_pb2 import Status

from luoshu.client import Identity, Invalid, Overloaded, TooLate, Unavailable, follow, iterate
from luoshu.client.errors import from_status
from luoshu.client.interceptor import Interceptor
from luoshu.client.pages import records_field
from luoshu.client.retry import Backoff, is_repeatable
from luoshu.platforms.v1 import platforms_pb2 as pb

OK, DOWN = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE
GET = "/luoshu.platforms.v1.PlatformService/GetPlatform"
SUBMIT = "/luoshu.platforms.v1.PlatformService/SubmitPlatform"


class Time:
    """A clock that only sleeping and calling moves."""

    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds


class Server:
    """Answers with one status after another, and keeps what it was asked."""

    def __init__(self, time, *statuses, takes=0.0):
        self.time, self.statuses, self.takes, self.seen = time, list(statuses), takes, []

    def __call__(self, details, request):
        self.seen.append((details, request))
        self.time.now += self.takes
        status = self.statuses.pop(0)
        status, said = status if isinstance(status, tuple) else (status, "")
        return SimpleNamespace(
            code=lambda: status,
            details=lambda: said,
            trailing_metadata=lambda: (),
            result=lambda: 1,
        )


def call(server, request, method=GET, timeout=None, **backoff):
    interceptor = Interceptor(
        Identity("DST", "李", ("case_officer",)),
        10.0,
        Backoff(
            random=lambda: 1.0, clock=lambda: server.time.now, sleep=server.time.sleep, **backoff
        ),
        iter(["id-1", "id-2"]).__next__,
    )
    details = SimpleNamespace(
        method=method,
        timeout=timeout,
        metadata=None,
        credentials=None,
        wait_for_ready=None,
        compression=None,
    )
    return interceptor.intercept_unary_unary(server, details, request)


def test_a_call_says_who_calls_and_when_it_ends():
    server = Server(Time(), OK)
    call(server, pb.GetPlatformRequest(name="platforms/x"))
    details, _ = server.seen[0]
    said = dict(details.metadata)
    assert unquote(said["luoshu-actor"]) == "李"
    assert said["luoshu-actor"].isascii()
    assert said["luoshu-department"] == "DST"
    assert said["luoshu-roles"] == "case_officer"
    assert details.timeout == 10.0


def test_a_change_gets_a_request_id_and_the_callers_message_stays_as_it_was():
    server, request = Server(Time(), OK), pb.SubmitPlatformRequest(name="platforms/x")
    call(server, request, SUBMIT)
    assert server.seen[0][1].request_id == "id-1"
    assert request.request_id == ""


def test_a_request_id_that_is_given_is_kept():
    server = Server(Time(), OK)
    call(server, pb.SubmitPlatformRequest(request_id="mine"), SUBMIT)
    assert server.seen[0][1].request_id == "mine"


def test_a_repeated_call_carries_the_same_request_id():
    server = Server(Time(), DOWN, DOWN, OK)
    call(server, pb.SubmitPlatformRequest(), SUBMIT)
    assert [request.request_id for _, request in server.seen] == ["id-1"] * 3


def test_retries_end_with_the_deadline_and_tell_the_request_id():
    time = Time()
    server = Server(time, *[DOWN] * 100, takes=0.2)
    with pytest.raises(Unavailable) as raised:
        call(server, pb.SubmitPlatformRequest(), SUBMIT, timeout=3.0)
    assert time.now <= 3.2
    assert raised.value.request_id == "id-1"
    assert all(0 < details.timeout <= 3.0 for details, _ in server.seen)


NO_CONNECTION = (DOWN, "failed to connect to all addresses; last error: Connection refused")


@pytest.mark.parametrize(
    ("attempts", "unsent"),
    [([NO_CONNECTION] * 9, True), ([DOWN, *[NO_CONNECTION] * 8], False), ([DOWN] * 9, False)],
)
def test_nothing_was_sent_only_where_no_attempt_found_a_connection(attempts, unsent):
    """What was sent once and lost may have been done, whatever came of the repeats."""
    with pytest.raises(Unavailable) as raised:
        call(Server(Time(), *attempts), pb.SubmitPlatformRequest(), SUBMIT, patience=0.5)
    assert raised.value.unsent is unsent


def test_patience_ends_retries_before_the_deadline():
    server = Server(Time(), *[DOWN] * 100, takes=0.01)
    with pytest.raises(Unavailable):
        call(server, pb.GetPlatformRequest(), patience=0.5)
    assert server.time.now <= 0.6


def test_a_refusal_is_not_sent_again():
    server = Server(Time(), grpc.StatusCode.INVALID_ARGUMENT, OK)
    with pytest.raises(Invalid):
        call(server, pb.GetPlatformRequest())
    assert len(server.seen) == 1


def test_a_deadline_of_nothing_is_too_late_before_anything_is_sent():
    server = Server(Time(), OK)
    with pytest.raises(TooLate):
        call(server, pb.GetPlatformRequest(), timeout=0)
    assert server.seen == []


def test_an_overloaded_server_is_asked_again_only_when_it_says_when():
    silent = Overloaded("busy")
    hinted = Overloaded("busy", retry_after=2.0)
    backoff = Backoff(random=lambda: 0.0)
    assert backoff.wait(silent, 0) is None
    assert backoff.wait(hinted, 0) == 2.0


def test_waits_grow_and_stay_below_the_longest():
    backoff = Backoff(random=lambda: 1.0)
    waits = [backoff.wait(Unavailable("down"), attempt) for attempt in range(50)]
    assert waits[:3] == [0.05, 0.1, 0.2]
    assert max(waits) == 2.0


@pytest.mark.parametrize(
    ("method", "request_", "repeatable"),
    [
        ("/s/GetPlatform", pb.GetPlatformRequest(), True),
        ("/s/ListPlatforms", pb.ListPlatformsRequest(), True),
        ("/s/SubmitPlatform", pb.SubmitPlatformRequest(), False),
        ("/s/SubmitPlatform", pb.SubmitPlatformRequest(request_id="a"), True),
    ],
)
def test_only_reads_and_calls_with_a_request_id_are_repeatable(method, request_, repeatable):
    assert is_repeatable(method, request_) is repeatable


def test_iterate_reads_every_page_and_leaves_the_request_alone():
    answers = {
        "": pb.ListPlatformsResponse(platforms=[pb.Platform(name="a")], next_page_token="t"),
        "t": pb.ListPlatformsResponse(platforms=[pb.Platform(name="b")]),
    }
    request = pb.ListPlatformsRequest(filter="kind = 'x'")
    asked = []

    def listing(wanted):
        asked.append(wanted.filter)
        return answers[wanted.page_token]

    assert [p.name for p in iterate(listing, request)] == ["a", "b"]
    assert asked == ["kind = 'x'"] * 2
    assert request.page_token == ""


def test_a_message_with_two_lists_is_no_page():
    with pytest.raises(TypeError, match="is no page"):
        records_field(pb.Platform)


def test_follow_goes_on_behind_the_last_change_after_an_interruption():
    def event(position):
        made = pb.PlatformsEvent()
        made.change.position = position
        return made

    asked = []

    def watch(wanted):
        asked.append(wanted.after_position)
        if len(asked) == 1:
            yield event(8)
            raise from_status(DOWN, "", Status())
        yield event(9)

    found = follow(watch, pb.WatchPlatformsRequest(after_position=7), sleep=lambda s: None)
    assert [e.change.position for e in found] == [8, 9]
    assert asked == [7, 8]
