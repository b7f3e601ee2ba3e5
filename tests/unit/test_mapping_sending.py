"""The import's stream: every row is answered once, and what is not answered is sent again."""

import pytest

from app.importing.problems import Refusal
from app.importing.sending import TRIES, UNDER_WAY, Sender, Summary
from luoshu.client import Invalid, Unavailable
from luoshu.journal.v1 import journal_pb2


class Stream:
    """Answers each request with itself; breaks after so many answers."""

    def __init__(self, requests, breaks_after=None, error=None):
        self.requests, self.left, self.error = requests, breaks_after, error
        self.cancelled = False

    def __iter__(self):
        for request in self.requests:
            if self.left == 0:
                if self.error:
                    raise self.error
                return
            if self.left is not None:
                self.left -= 1
            yield request

    def cancel(self):
        self.cancelled = True


def sender(*plans):
    """A sender whose streams go as planned: (answers before the break, error) each; then whole."""
    plans = list(plans)

    def call(requests, timeout):
        return Stream(requests, *(plans.pop(0) if plans else (None, None)))

    return Sender(call, timeout=1.0, sleep=lambda seconds: None)


@pytest.mark.parametrize("count", [0, 1, UNDER_WAY, UNDER_WAY + 1, 50])
def test_every_message_is_answered_once_and_in_order(count):
    assert list(sender().send(iter(range(1, count + 1)))) == list(range(1, count + 1))


@pytest.mark.parametrize("answered", [0, 1, 7])
def test_after_an_interruption_only_what_was_not_answered_is_sent_again(answered):
    down = Unavailable("down")
    assert list(sender((answered, down)).send(iter(range(1, 21)))) == list(range(1, 21))


def test_a_stream_that_ends_early_loses_no_row():
    assert list(sender((3, None), (4, None)).send(iter(range(1, 21)))) == list(range(1, 21))


def test_a_server_that_stays_away_is_not_asked_for_ever():
    with pytest.raises(Unavailable):
        list(sender(*[(0, Unavailable("down"))] * (TRIES + 1)).send(iter([1, 2])))


def test_what_is_wrong_is_not_sent_again():
    with pytest.raises(Invalid):
        list(sender((1, Invalid("no"))).send(iter([1, 2])))


def test_the_parts_of_a_summary_sum_to_the_rows():
    summary = Summary()
    summary.refuse(Refusal(7, "c", "f", "X", "en", "zh"))
    summary.refuse(Refusal(7, "d", "g", "Y", "en", "zh"))
    for outcome in (1, 1, 2, 3):
        result = journal_pb2.ImportResult(line=outcome, outcome=outcome)
        if outcome == journal_pb2.IMPORT_OUTCOME_REFUSED:
            result.problems.add(field="title", code="REQUIRED", text_en="e", text_zh="z")
        summary.answer(result, lambda field: "Award Title")
    assert (summary.entered, summary.present, summary.refused, summary.rows) == (2, 1, 2, 5)
    assert summary.refusals[-1] == Refusal(3, "Award Title", "title", "REQUIRED", "e", "z")
