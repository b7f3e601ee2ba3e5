"""Sealed bids: while the bidding is open a bid is a digest, and its content is with its bidder; then it is revealed. Pure.

Nobody can read what was never handed in: no department, no auditor, no administrator. The digest is in the journal and so
in the audit log: that a bid came, when, and that it is the one which was revealed, anybody can check.
"""

from kernel.case import Case
from kernel.dates import from_date, iso, to_date
from kernel.errors import Denied, Invalid, Refused
from luoshu.client.seals import seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.rules import demand_consortium, distinct, number, words

SEALED, REVEAL_DAYS = "sealed-bids", "bid-reveal-working-days"
"""Rules of the pack: 1 where bids are sealed; how many working days after the closing they can be revealed."""


def demand_seal(command: pb.SubmitBidBreakthroughRequest, case: Case) -> None:
    """Raises Refused for an open bid where the pack seals them, Invalid for a sealed one that tells its content."""
    if not command.seal and number(case, SEALED, 0):
        raise Refused(
            "bids are sealed while the bidding is open: hand in the seal alone (luoshu bid seal), "
            "and reveal the content after the closing",
            "揭榜期间实行密封：请仅提交封印（luoshu bid seal），截止后再公开内容（开标）",
            field="seal",
            reason="BIDS_ARE_SEALED",
        )
    told = command.units or command.plan or command.requested_fen or command.HasField("leader")
    if command.seal and told:
        raise Invalid(
            "a sealed bid tells nothing but its seal; leave units, plan, requested_fen and leader empty",
            "密封揭榜只提交封印；请将 units、plan、requested_fen、leader 留空",
            field="seal",
            reason="SEAL_WITH_CONTENT",
        )


def demand_own_seal(record: pb.Breakthrough, seal: str, case: Case) -> None:
    """Raises Refused for the seal of another's bid: whoever copied it would reveal the other's content as its own."""
    others = [b.id for b in record.bids if b.seal == seal and b.bidder != case.caller.department]
    if seal and others:
        raise Refused(
            f"{others[0]} of another unit has that seal; seal your own content (luoshu bid seal)",
            f"该封印与其他单位的 {others[0]} 相同；请密封本单位的内容（luoshu bid seal）",
            field="seal",
            reason="SEAL_OF_ANOTHER",
        )


def set_last_day(record: pb.Breakthrough, case: Case) -> None:
    """Say until when the sealed bids can be revealed: working days after the closing, by the pack."""
    days = number(case, REVEAL_DAYS, 1)
    last = case.pack.add_working_days(case.today, days).date
    record.bids_reveal_date.CopyFrom(from_date(last))


def reveal(
    record: pb.Breakthrough, bid: pb.Bid, command: pb.RevealBidBreakthroughRequest, case: Case
) -> None:
    """Put the content where its seal stands. Raises Denied, Refused, Invalid: another's, too late, or not what was sealed."""
    if bid.bidder != case.caller.department:
        raise Denied(
            f"{bid.id} is a bid of another unit; only its bidder reveals it",
            f"{bid.id} 由其他单位申报；只能由该单位开标",
            reason="NOT_THE_BIDDER",
        )
    _demand_sealed(record, bid, case)
    content = command.content
    if seal_of(content, command.salt) != bid.seal:
        raise Invalid(
            f"content and salt do not give the seal of {bid.id}; give exactly what was sealed",
            f"内容与盐值不能还原 {bid.id} 的封印；请提供密封时的原内容",
            field="content",
            reason="SEAL_DIFFERS",
        )
    distinct(content.units, "content.units")
    demand_consortium(content.units, case, "content.units")
    bid.units.extend(content.units)
    bid.plan, bid.requested_fen = words(content.plan, "content.plan"), content.requested_fen
    bid.salt = command.salt
    bid.reveal_date.CopyFrom(from_date(case.today))
    if command.HasField("leader"):
        bid.leader.CopyFrom(command.leader)


def _demand_sealed(record: pb.Breakthrough, bid: pb.Bid, case: Case) -> None:
    if not is_closed(bid):
        raise Refused(
            f"{bid.id} is open already; there is nothing to reveal",
            f"{bid.id} 内容已公开，无须开标",
            reason="NOT_SEALED",
        )
    last = to_date(record.bids_reveal_date)
    if last and case.today > last:
        raise Refused(
            f"bids could be revealed until the end of {last}; {bid.id} stays sealed",
            f"开标期至 {last} 当日结束；{bid.id} 不再开标",
            reason="REVEAL_OVER",
        )


def is_closed(bid: pb.Bid) -> bool:
    """Tell whether nobody but its bidder knows the content."""
    return bool(bid.seal) and not bid.HasField("reveal_date")


def demand_open(bid: pb.Bid) -> None:
    """Raises Refused for a bid that is still sealed: nobody can judge it."""
    if is_closed(bid):
        raise Refused(
            f"{bid.id} is sealed; its bidder has to reveal it first (reveal_bid)",
            f"{bid.id} 尚未开标；须由申报单位先行开标（reveal_bid）",
            reason="BID_SEALED",
        )


def demand_all_had_their_days(record: pb.Breakthrough, live: list[pb.Bid], case: Case) -> None:
    """Raises Refused while another bidder may still reveal: nobody is chosen before all could speak."""
    closed = [bid.id for bid in live if is_closed(bid)]
    last = to_date(record.bids_reveal_date)
    if closed and last and case.today <= last:
        raise Refused(
            f"{', '.join(closed)} can still be revealed, until the end of {iso(record.bids_reveal_date)}",
            f"{'、'.join(closed)} 仍可开标，至 {iso(record.bids_reveal_date)} 当日止；请待其后选定",
            reason="BIDS_STILL_SEALED",
        )
