"""The days of a bidding: bids are taken, then sealed ones are revealed; each time ends by itself. Pure."""

import datetime
from collections.abc import Sequence

from kernel.case import Case
from kernel.dates import ONE_DAY, Due, from_date, to_date
from kernel.deadline import Deadline, demand_due
from kernel.errors import Invalid, Refused
from kernel.pack import Pack
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.rules import day, in_order, live, number
from services.technologies.sealing import is_sealed

State = pb.Breakthrough.State
LEAST, REVEAL_DAYS = "bidding-days", "bid-reveal-working-days"
"""Rules of the pack: calendar days that a bidding takes at least; working days after it in which bids are revealed."""


def open_window(
    record: pb.Breakthrough, command: pb.PublishForBidsBreakthroughRequest, case: Case
) -> None:
    """Say from when to when bids are taken. Raises Invalid: it is over, began before today, or is too short."""
    opens = to_date(command.bids_open_date, "bids_open_date") or case.today
    closes = day(command.bids_close_date, "bids_close_date")
    in_order(case.today, opens, "bids_open_date")
    in_order(opens, closes, "bids_close_date")
    least = _least(opens, case)
    if closes < least:
        raise Invalid(
            f"bids are taken for at least {(least - opens).days} days after {opens}; "
            f"give bids_close_date {least} or later, not {closes}",
            f"自 {opens} 起揭榜申报期不得少于 {(least - opens).days} 日；"
            f"bids_close_date 请填写 {least} 或之后的日期，而非 {closes}",
            field="bids_close_date",
            reason="BIDDING_TOO_SHORT",
        )
    record.bids_open_date.CopyFrom(from_date(opens))
    record.bids_close_date.CopyFrom(from_date(closes))


def _least(opens: datetime.date, case: Case) -> datetime.date:
    """Return the first day that may be a bidding's last one; the day on which it opens does not count."""
    return opens + ONE_DAY * number(case, LEAST, 0)


def demand_open_window(record: pb.Breakthrough, case: Case) -> None:
    """Raises Refused out of the days. Judged by today: a bid cannot be dated back into the window."""
    opens, closes = to_date(record.bids_open_date), to_date(record.bids_close_date)
    if opens and closes and opens <= case.today <= closes:
        return
    raise Refused(
        f"bids are taken from {opens} to {closes}, both included; today is {case.today}",
        f"揭榜申报期为 {opens} 至 {closes}（含首尾两日），今天是 {case.today}",
        reason="OUTSIDE_THE_WINDOW",
    )


def deadlines(record: pb.Breakthrough) -> Sequence[Deadline]:
    """Return what ends by itself: the bidding, then the opening while a bid is sealed. A last day ends with the local day."""
    if record.state == State.STATE_BIDDING:
        return _after(record, to_date(record.bids_close_date), "closing", "close_bids")
    if record.state == State.STATE_BIDS_CLOSED and _waiting(record):
        return _after(record, to_date(record.bids_reveal_date), "opening", "lapse_bids")
    return ()


def _after(
    record: pb.Breakthrough, last: datetime.date | None, what: str, action: str
) -> Sequence[Deadline]:
    key = f"{what}/{record.bidding_round}/{last}"
    return (Deadline(key, last + ONE_DAY, action),) if last else ()


def _waiting(record: pb.Breakthrough) -> list[pb.Bid]:
    """Return the bids that can still be revealed, or could until their days were over."""
    return [bid for bid in live(record) if is_sealed(bid) and not bid.HasField("lapse_date")]


def close_bids(
    record: pb.Breakthrough, command: pb.CloseBidsBreakthroughRequest, case: Case
) -> None:
    """End the bidding. Raises Refused before its last day is over, unless a person says why, and bids were taken long enough."""
    if command.key:
        demand_due(deadlines(record), command.key, case.today)
    elif not command.reason.strip():
        _demand_over(to_date(record.bids_close_date), case)
    else:
        _demand_long_enough(record, case)
    record.bids_closed_date.CopyFrom(from_date(case.today))
    if _waiting(record):
        _reveal_until(record, _last_day(case.today, case.pack))


def _demand_over(closes: datetime.date | None, case: Case) -> None:
    if closes and case.today <= closes:
        raise Refused(
            f"bids are taken until the end of {closes}, today is {case.today}; "
            "wait, or give a reason for closing early",
            f"申报期至 {closes} 当日结束，今天是 {case.today}；请等待，或说明提前截止的理由",
            reason="WINDOW_STILL_OPEN",
        )


def _demand_long_enough(record: pb.Breakthrough, case: Case) -> None:
    """An early closing, whatever its reason, does not take from bidders the days that the pack gives them."""
    opens, closes = to_date(record.bids_open_date), to_date(record.bids_close_date)
    least = min(_least(opens, case), closes) if opens and closes else None
    if least and case.today <= least and number(case, LEAST, 0):
        raise Refused(
            f"bids are taken for at least {number(case, LEAST, 0)} days after {opens}: "
            f"it can be closed early from {least + ONE_DAY} on, today is {case.today}; "
            "to give the technology up, terminate it",
            f"自 {opens} 起揭榜申报期不得少于 {number(case, LEAST, 0)} 日：{least + ONE_DAY} 起方可提前截止，"
            f"今天是 {case.today}；如不再发榜，请终止（terminate）",
            reason="BIDDING_TOO_SHORT",
        )


def _reveal_until(record: pb.Breakthrough, last: Due) -> None:
    record.bids_reveal_date.CopyFrom(from_date(last.date))
    record.bids_reveal_provisional = last.provisional


def _last_day(closed: datetime.date, pack: Pack) -> Due:
    """Return the last day on which sealed bids are revealed; a bidding that is closed late leaves them all their days."""
    days = pack.rule(REVEAL_DAYS, closed) if REVEAL_DAYS in pack.rules else 1
    return pack.add_working_days(closed, days)


def outdated(record: pb.Breakthrough, pack: Pack) -> bool:
    """Tell whether the pack's calendar ends a running opening otherwise than the record says."""
    closed = to_date(record.bids_closed_date)
    if record.state != State.STATE_BIDS_CLOSED or closed is None or not _waiting(record):
        return False
    said = (to_date(record.bids_reveal_date), record.bids_reveal_provisional)
    return said != tuple(_last_day(closed, pack))


def reschedule(
    record: pb.Breakthrough, command: pb.RescheduleBreakthroughRequest, case: Case
) -> None:
    """Count the days of a running opening anew by the calendar of today."""
    if outdated(record, case.pack):
        _reveal_until(
            record, _last_day(day(record.bids_closed_date, "bids_closed_date"), case.pack)
        )


def lapse_bids(
    record: pb.Breakthrough, command: pb.LapseBidsBreakthroughRequest, case: Case
) -> None:
    """Say of the bids that are still sealed that they count no more. Raises Refused while they can be revealed."""
    demand_due(deadlines(record), command.key, case.today)
    for bid in _waiting(record):
        bid.lapse_date.CopyFrom(from_date(case.today))


def demand_all_had_their_days(record: pb.Breakthrough, case: Case) -> None:
    """Raises Refused while another bidder may still reveal: nobody is chosen before all could speak."""
    closed, last = [bid.id for bid in _waiting(record)], to_date(record.bids_reveal_date)
    if closed and last and case.today <= last:
        raise Refused(
            f"{', '.join(closed)} can still be revealed, until the end of {last}",
            f"{'、'.join(closed)} 仍可开标，至 {last} 当日止；请待其后选定",
            reason="BIDS_STILL_SEALED",
        )
