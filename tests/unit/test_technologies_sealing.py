"""Bids are sealed while the bidding is open: nothing of their content is anywhere but with their bidder."""

import datetime
import hashlib
from typing import Any

import protovalidate
import pytest

from kernel.case import Role
from kernel.dates import from_date
from kernel.errors import Denied, Invalid, Refused
from luoshu.client.seals import new_salt, seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb
from tests.unit.technologies_story import (
    BOILER,
    OTHER,
    PUBLISHERS,
    TODAY,
    UNITS,
    State,
    a_case,
    act,
    agreed,
    published,
    refused,
    sealing,
)

CONTENT = pb.BidContent(units=UNITS, plan="材料、工艺、台架三步", requested_fen=400_000_00)
SALT = bytes(range(32)).hex()
NAME = "breakthroughs/smart-boiler"
CLOSED = TODAY + datetime.timedelta(days=1)
LAST = datetime.date(2026, 3, 16)
"""Three working days after the closing, a Wednesday."""


def sealed(**other: Any) -> str:
    """The seal of the boiler works' bid, unless another is said."""
    said = {"breakthrough": NAME, "bidder": BOILER, "salt": SALT, "content": CONTENT, **other}
    return seal_of(pb.SealedBid(**said))


SEAL = sealed()


def case(*roles: Role, department: str = BOILER, today: datetime.date = TODAY, **more: Any) -> Any:
    roles = roles or (Role.APPLICANT,)
    return a_case(*roles, department=department, today=today, pack=sealing(), **more)


def handed_in() -> pb.Breakthrough:
    record = act(published(), "submit_bid", case(), seal=SEAL)
    other = case(department=OTHER)
    return act(record, "submit_bid", other, seal=sealed(bidder=OTHER, salt=new_salt()))


def closed() -> pb.Breakthrough:
    return act(handed_in(), "close_bids", case(Role.CASE_OFFICER, department="DST", today=CLOSED))


def revealed() -> pb.Breakthrough:
    said = {"bid": "b1", "content": CONTENT, "salt": SALT}
    return act(closed(), "reveal_bid", case(today=CLOSED), **said)


def test_an_open_bid_is_refused_where_bids_are_sealed() -> None:
    told = {"units": UNITS, "plan": "公开", "requested_fen": 1}
    refused(Refused, "BIDS_ARE_SEALED", published(), "submit_bid", case(), **told)


def test_a_sealed_bid_tells_that_it_came_and_nothing_else() -> None:
    bid = handed_in().bids[0]
    assert (bid.bidder, bid.seal, bid.round) == (BOILER, SEAL, 1)
    assert pb.Bid(units=bid.units, plan=bid.plan, requested_fen=bid.requested_fen) == pb.Bid()
    body = handed_in().SerializeToString()
    assert all(unit.name.encode() not in body for unit in UNITS)


def test_a_seal_of_another_unit_is_not_taken_over() -> None:
    """Seals are to be seen: whoever copied one would reveal the other's content after it was revealed."""
    thief = case(department="91410000000000000X")
    refused(Refused, "SEAL_OF_ANOTHER", handed_in(), "submit_bid", thief, seal=SEAL)
    withdrawn = act(handed_in(), "withdraw_bid", case(), bid="b1", reason="重新密封")
    refused(Refused, "SEAL_OF_ANOTHER", withdrawn, "submit_bid", thief, seal=SEAL)
    assert act(withdrawn, "submit_bid", case(), seal=SEAL).bids[-1].seal == SEAL


def test_a_seal_of_ones_own_from_an_earlier_round_is_not_taken_again() -> None:
    """Its content may be open to everybody."""
    after = LAST + datetime.timedelta(days=1)
    officer = case(Role.CASE_OFFICER, department="DST", today=after)
    record = act(revealed(), "relist", officer, reason="无合适揭榜方")
    agreed_again = agreed(record)
    closes = from_date(after + datetime.timedelta(days=20))
    told = {"publishing_departments": PUBLISHERS, "bids_close_date": closes}
    again = act(agreed_again, "publish_for_bids", officer, **told)
    refused(Refused, "SEAL_USED", again, "submit_bid", case(today=after), seal=SEAL)


@pytest.mark.parametrize(
    "made_for", [{"breakthrough": "breakthroughs/other"}, {"bidder": OTHER}, {"bidder": ""}]
)
def test_a_seal_that_was_made_for_another_technology_or_unit_does_not_open(made_for: Any) -> None:
    """Whoever copies a seal out of another bidding cannot reveal the content that the other reveals there."""
    record = act(published(), "submit_bid", case(), seal=sealed(**made_for))
    officer = case(Role.CASE_OFFICER, department="DST", today=CLOSED)
    record = act(record, "close_bids", officer)
    told = {"bid": "b1", "content": CONTENT, "salt": SALT}
    refused(Invalid, "SEAL_DIFFERS", record, "reveal_bid", case(today=CLOSED), **told)


def test_a_replayed_seal_does_not_open_for_whoever_replays_it() -> None:
    """Also where the register had not seen the first one: it was sent, and did not arrive."""
    thief = case(department=OTHER)
    record = act(published(), "submit_bid", thief, seal=SEAL)
    record = act(record, "close_bids", case(Role.CASE_OFFICER, department="DST", today=CLOSED))
    told = {"bid": "b1", "content": CONTENT, "salt": SALT}
    thief = case(department=OTHER, today=CLOSED)
    refused(Invalid, "SEAL_DIFFERS", record, "reveal_bid", thief, **told)


def test_a_seal_can_be_made_without_our_code() -> None:
    """As the contract says it: SHA-256 over the message's bytes, field after field."""
    said = b"".join(
        bytes([number << 3 | 2]) + _length(len(body)) + body
        for number, body in enumerate(
            (NAME.encode(), BOILER.encode(), SALT.encode(), CONTENT.SerializeToString()), 1
        )
    )
    assert hashlib.sha256(said).hexdigest() == SEAL


def _length(size: int) -> bytes:
    return bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])


@pytest.mark.parametrize("salt", [SALT[:32], SALT + "00", SALT.upper()])
def test_a_salt_has_one_length_and_one_spelling(salt: str) -> None:
    request = pb.RevealBidBreakthroughRequest(name=NAME, bid="b1", content=CONTENT, salt=salt)
    (violation,) = protovalidate.collect_violations(request)
    assert violation.proto.field.elements[0].field_name == "salt"


@pytest.mark.parametrize("told", [{"units": UNITS}, {"plan": "三步"}, {"requested_fen": 1}])
def test_a_seal_goes_without_its_content(told: Any) -> None:
    refused(Invalid, "SEAL_WITH_CONTENT", published(), "submit_bid", case(), seal=SEAL, **told)


def test_a_bid_is_not_revealed_while_the_bidding_is_open() -> None:
    with pytest.raises(Refused, match="reveal_bid"):
        act(handed_in(), "reveal_bid", case(), bid="b1", content=CONTENT, salt=SALT)


def test_what_is_revealed_is_what_was_sealed() -> None:
    bid = revealed().bids[0]
    assert (list(bid.units), bid.plan, bid.requested_fen) == (UNITS, CONTENT.plan, 400_000_00)
    again = pb.BidContent(units=bid.units, plan=bid.plan, requested_fen=bid.requested_fen)
    assert sealed(salt=bid.salt, content=again, bidder=bid.bidder) == bid.seal


@pytest.mark.parametrize(
    "said",
    [
        {"content": pb.BidContent(units=UNITS, plan=CONTENT.plan, requested_fen=1)},
        {"content": pb.BidContent(units=UNITS[::-1], plan=CONTENT.plan, requested_fen=400_000_00)},
        {"salt": SALT[::-1]},
    ],
)
def test_another_content_or_salt_is_refused(said: Any) -> None:
    told = {"bid": "b1", "content": CONTENT, "salt": SALT, **said}
    refused(Invalid, "SEAL_DIFFERS", closed(), "reveal_bid", case(today=CLOSED), **told)


def test_only_its_bidder_reveals_a_bid() -> None:
    other = case(department=OTHER, today=CLOSED)
    told = {"bid": "b1", "content": CONTENT, "salt": SALT}
    refused(Denied, "NOT_THE_BIDDER", closed(), "reveal_bid", other, **told)


def test_a_consortium_below_three_comes_to_light_when_it_is_revealed() -> None:
    small = pb.BidContent(units=UNITS[:2], plan="力量不足")
    record = act(published(), "submit_bid", case(), seal=sealed(content=small))
    officer = case(Role.CASE_OFFICER, department="DST", today=CLOSED)
    record = act(record, "close_bids", officer)
    told = {"bid": "b1", "content": small, "salt": SALT}
    refused(Invalid, "CONSORTIUM_TOO_SMALL", record, "reveal_bid", case(today=CLOSED), **told)


@pytest.mark.parametrize(
    ("day", "taken"),
    [
        (LAST - datetime.timedelta(1), True),
        (LAST, True),
        (LAST + datetime.timedelta(1), False),
    ],
)
def test_bids_are_revealed_to_the_end_of_the_last_working_day(
    day: datetime.date, taken: bool
) -> None:
    told = {"bid": "b1", "content": CONTENT, "salt": SALT}
    if taken:
        assert act(closed(), "reveal_bid", case(today=day), **told).bids[0].plan
    else:
        refused(Refused, "REVEAL_OVER", closed(), "reveal_bid", case(today=day), **told)


def test_a_bid_is_revealed_once() -> None:
    told = {"bid": "b1", "content": CONTENT, "salt": SALT}
    refused(Refused, "NOT_SEALED", revealed(), "reveal_bid", case(today=CLOSED), **told)


def test_a_sealed_bid_is_neither_scored_nor_selected() -> None:
    officer = case(Role.CASE_OFFICER, department="DST", today=CLOSED)
    approver = case(Role.APPROVER, department="DST", actor="sun", today=CLOSED)
    refused(Refused, "BID_SEALED", closed(), "score_bid", officer, bid="b1", score=9000)
    refused(Refused, "BID_SEALED", closed(), "select_bidder", approver, bid="b1")


def test_nobody_is_selected_while_another_bid_may_still_be_revealed() -> None:
    officer = case(Role.CASE_OFFICER, department="DST", today=CLOSED)
    record = act(revealed(), "score_bid", officer, bid="b1", score=9000)
    approver = case(Role.APPROVER, department="DST", actor="sun", today=LAST)
    refused(Refused, "BIDS_STILL_SEALED", record, "select_bidder", approver, bid="b1")
    later = LAST + datetime.timedelta(days=1)
    approver = case(Role.APPROVER, department="DST", actor="sun", today=later)
    assert act(record, "select_bidder", approver, bid="b1").state == State.STATE_UNDERTAKEN
