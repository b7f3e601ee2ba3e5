"""Sealed bids: while the bidding is open a bid is a digest, and its content is with its bidder; then it is revealed. Pure.

Nobody can read what was never handed in: no department, no auditor, no administrator. The digest is in the journal and so
in the audit log: that a bid came, when, and that it is the one which was revealed, anybody can check.
"""

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Denied, Invalid, Refused
from luoshu.client.seals import seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.rules import demand_consortium, distinct, number, words

SEALED = "sealed-bids"
"""Id of the pack's rule: 1 where bids are sealed."""


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


def demand_new_seal(record: pb.Breakthrough, seal: str, case: Case) -> None:
    """Raises Refused for a seal that is known already: another's, which would not open, or one's own of an earlier round.

    A copy from another technology cannot be told before the opening, and does not open: a seal is bound to its technology.
    """
    known = [bid for bid in record.bids if seal and bid.seal == seal]
    if others := [bid.id for bid in known if bid.bidder != case.caller.department]:
        raise Refused(
            f"{others[0]} of another unit has that seal; seal your own content (luoshu bid seal)",
            f"该封印与其他单位的 {others[0]} 相同；请密封本单位的内容（luoshu bid seal）",
            field="seal",
            reason="SEAL_OF_ANOTHER",
        )
    if earlier := [bid.id for bid in known if bid.round != record.bidding_round]:
        raise Refused(
            f"{earlier[0]} of an earlier round has that seal, and may be open to everybody; "
            "seal anew, with another salt (move the .opening file away, then luoshu bid seal)",
            f"该封印与前一轮的 {earlier[0]} 相同，其内容可能已公开；请用新的盐值重新密封"
            "（先移走 .opening 文件，再执行 luoshu bid seal）",
            field="seal",
            reason="SEAL_USED",
        )


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
    if seal_of(_sealed(record, bid, command)) != bid.seal:
        raise Invalid(
            f"content and salt of {bid.bidder} for {record.name} do not give the seal of {bid.id}; "
            "give exactly what was sealed; a seal that was made for another technology or by another unit "
            "does not open",
            f"{bid.bidder} 对 {record.name} 的内容与盐值不能还原 {bid.id} 的封印；请提供密封时的原内容；"
            "为其他榜单或由其他单位制作的封印不能开标",
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


def _sealed(
    record: pb.Breakthrough, bid: pb.Bid, command: pb.RevealBidBreakthroughRequest
) -> pb.SealedBid:
    """Return what the seal has to be made of: the technology and the bidder are the register's own word."""
    return pb.SealedBid(
        breakthrough=record.name, bidder=bid.bidder, salt=command.salt, content=command.content
    )


def _demand_sealed(record: pb.Breakthrough, bid: pb.Bid, case: Case) -> None:
    if not is_sealed(bid):
        raise Refused(
            f"{bid.id} is open already; there is nothing to reveal",
            f"{bid.id} 内容已公开，无须开标",
            reason="NOT_SEALED",
        )
    last = to_date(record.bids_reveal_date)
    if last and (case.today > last or bid.HasField("lapse_date")):
        raise Refused(
            f"bids could be revealed until the end of {last}; {bid.id} stays sealed and counts no more",
            f"开标期至 {last} 当日结束；{bid.id} 不再开标，已失效",
            reason="REVEAL_OVER",
        )


def is_sealed(bid: pb.Bid) -> bool:
    """Tell whether nobody but its bidder knows the content."""
    return bool(bid.seal) and not bid.HasField("reveal_date")


def demand_open(bid: pb.Bid) -> None:
    """Raises Refused for a bid that is still sealed: nobody can judge it."""
    if bid.HasField("lapse_date"):
        raise Refused(
            f"{bid.id} was not revealed in time and has lapsed; judge another bid, or relist",
            f"{bid.id} 逾期未开标，已失效；请评其他申报，或重新列榜（relist）",
            reason="BID_LAPSED",
        )
    if is_sealed(bid):
        raise Refused(
            f"{bid.id} is sealed; its bidder has to reveal it first (reveal_bid)",
            f"{bid.id} 尚未开标；须由申报单位先行开标（reveal_bid）",
            reason="BID_SEALED",
        )
