"""From the list over open bids (揭榜挂帅) to the units that undertake the work. Pure."""

from collections.abc import Sequence

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import Denied, Invalid, Refused
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.publication import check_publishers, demand_consent
from services.technologies.rules import (
    check_score,
    demand_consortium,
    distinct,
    found,
    live,
    roomy,
    words,
)
from services.technologies.sealing import demand_new_seal, demand_open, demand_seal, reveal
from services.technologies.window import (
    demand_all_had_their_days,
    demand_open_window,
    open_window,
)

Assignment = pb.Breakthrough.Assignment


def enlist(record: pb.Breakthrough, command: pb.EnlistBreakthroughRequest, case: Case) -> None:
    record.list_document_number = words(command.list_document_number, "list_document_number")


def publish_for_bids(
    record: pb.Breakthrough, command: pb.PublishForBidsBreakthroughRequest, case: Case
) -> None:
    check_publishers(record, command.publishing_departments, case)
    demand_consent(record, command.publishing_departments, case)
    open_window(record, command, case)
    record.publishing_departments[:] = command.publishing_departments
    record.bidding_round += 1
    record.assignment = Assignment.ASSIGNMENT_OPEN_BIDS


def submit_bid(
    record: pb.Breakthrough, command: pb.SubmitBidBreakthroughRequest, case: Case
) -> None:
    demand_open_window(record, case)
    _first_bid(record, case)
    demand_seal(command, case)
    demand_new_seal(record, command.seal, case)
    if not command.seal:
        distinct(command.units, "units")
        demand_consortium(command.units, case, "units")
    roomy(record)
    bid = record.bids.add(
        id=f"b{len(record.bids) + 1}",
        round=record.bidding_round,
        units=command.units,
        plan=command.plan if command.seal else words(command.plan, "plan"),
        seal=command.seal,
        requested_fen=command.requested_fen,
        submit_date=from_date(case.today),
        bidder=case.caller.department,
        author=case.caller.actor,
    )
    if command.HasField("leader"):
        bid.leader.CopyFrom(command.leader)


def _first_bid(record: pb.Breakthrough, case: Case) -> None:
    for bid in live(record):
        if bid.bidder == case.caller.department:
            raise Refused(
                f"{bid.bidder} has bid already, as {bid.id}; withdraw that bid first",
                f"{bid.bidder} 已提交揭榜申报 {bid.id}；请先撤回",
                reason="BID_TWICE",
            )


def withdraw_bid(
    record: pb.Breakthrough, command: pb.WithdrawBidBreakthroughRequest, case: Case
) -> None:
    bid = _live_bid(record, command.bid)
    if bid.bidder != case.caller.department:
        raise Denied(
            f"{bid.id} is a bid of another unit; only its bidder withdraws it",
            f"{bid.id} 由其他单位申报；只能由该单位撤回",
            reason="NOT_THE_BIDDER",
        )
    words(command.reason, "reason")
    bid.withdrawn = True


def reveal_bid(
    record: pb.Breakthrough, command: pb.RevealBidBreakthroughRequest, case: Case
) -> None:
    roomy(record)
    reveal(record, _live_bid(record, command.bid), command, case)


def score_bid(record: pb.Breakthrough, command: pb.ScoreBidBreakthroughRequest, case: Case) -> None:
    bid = _live_bid(record, command.bid)
    demand_open(bid)
    if case.caller.department in {bid.bidder, *(unit.code for unit in bid.units)}:
        raise Denied(
            f"{case.caller.department} takes part in {bid.id} and cannot judge it; "
            "let an independent expert score it",
            f"{case.caller.department} 是 {bid.id} 的参与单位，应当回避；请由独立专家评分",
            reason="CONFLICT_OF_INTEREST",
        )
    check_score(command.score, "score")
    bid.score, bid.opinion = command.score, command.opinion


def select_bidder(
    record: pb.Breakthrough, command: pb.SelectBidderBreakthroughRequest, case: Case
) -> None:
    bid = _live_bid(record, command.bid)
    demand_open(bid)
    demand_all_had_their_days(record, case)
    _selectable(bid, command, case)
    _best_or_explained(record, bid, command)
    bid.selected = True
    _give(record, bid.units, command.budget_fen or bid.requested_fen, command.document_number)
    if bid.HasField("leader"):
        record.leader.CopyFrom(bid.leader)


def _selectable(bid: pb.Bid, command: pb.SelectBidderBreakthroughRequest, case: Case) -> None:
    if not bid.HasField("score"):
        raise Refused(
            f"{bid.id} is not scored; score it first",
            f"{bid.id} 尚未评分；请先执行 score_bid",
            reason="NOT_SCORED",
        )
    if case.caller.actor == bid.author:
        raise Denied(
            f"who handed in {bid.id} cannot select it; another account has to",
            f"{bid.id} 的申报账号不能选定该申报；须由其他账号办理",
            reason="FOUR_EYES",
        )
    if command.budget_fen > bid.requested_fen:
        raise Invalid(
            f"{bid.id} asks for {bid.requested_fen} fen; "
            f"a budget of {command.budget_fen} is more than that",
            f"{bid.id} 申请 {bid.requested_fen} 分；预算 {command.budget_fen} 分超出申请额",
            field="budget_fen",
            reason="MORE_THAN_REQUESTED",
        )


def _best_or_explained(
    record: pb.Breakthrough, bid: pb.Bid, command: pb.SelectBidderBreakthroughRequest
) -> None:
    best = max(live(record), key=lambda each: each.score)
    if best.score > bid.score and not command.reason.strip():
        raise Invalid(
            f"{best.id} has a higher score than {bid.id}; "
            "give the reason for choosing the lower one",
            f"{best.id} 得分高于 {bid.id}；选定得分较低者须说明理由",
            field="reason",
            reason="REASON_REQUIRED",
        )


def relist(record: pb.Breakthrough, command: pb.RelistBreakthroughRequest, case: Case) -> None:
    words(command.reason, "reason")
    demand_all_had_their_days(record, case)
    record.assignment = Assignment.ASSIGNMENT_UNSPECIFIED
    for said in ("bids_reveal_date", "bids_reveal_provisional", "bids_closed_date"):
        record.ClearField(said)
    # Another bidding is another publication: the departments are asked again.
    record.publication.CopyFrom(pb.Publication(round=record.publication.round))


def commission(
    record: pb.Breakthrough, command: pb.CommissionBreakthroughRequest, case: Case
) -> None:
    words(command.reason, "reason")
    distinct(command.units, "units")
    _give(record, command.units, command.budget_fen or record.budget_fen, command.document_number)
    record.assignment = Assignment.ASSIGNMENT_COMMISSION
    if command.HasField("leader"):
        record.leader.CopyFrom(command.leader)


def _give(
    record: pb.Breakthrough, units: Sequence[pb.Unit], budget_fen: int, document: str
) -> None:
    if not units:
        raise Refused(
            "the bid names no unit; relist, or commission the work to units that are named",
            "该申报未列明参与单位；请重新发榜（relist），或直接委托（commission）具名单位",
            reason="NO_UNIT",
        )
    record.undertaking_unit.CopyFrom(units[0])
    record.consortium.clear()
    record.consortium.extend(units)
    record.budget_fen = budget_fen
    record.assignment_document_number = document


def _live_bid(record: pb.Breakthrough, key: str) -> pb.Bid:
    bid: pb.Bid = found(live(record), key, ("bid in this round", "本轮揭榜申报"), "bid")
    return bid
