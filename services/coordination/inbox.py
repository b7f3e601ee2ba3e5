"""What a department owes: opinions that it is asked for, and conditions that it has to confirm. Pure."""

import datetime
from collections.abc import Iterator

from kernel.dates import from_date, to_date
from kernel.pack import Pack
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.clock import S, date_condition, last_day, missing, unmet

LATEST = datetime.date.max


def items_of(
    review: pb.Review, department: str, today: datetime.date, pack: Pack
) -> Iterator[pb.InboxItem]:
    """Yield what a department owes of a review, on a day."""
    for opinion in review.opinions:
        if (
            opinion.department == department
            and missing(opinion)
            and review.state != S.STATE_CANCELLED
        ):
            yield _opinion(review, opinion, today, pack)
    for condition in unmet(review):
        if condition.department == department and review.state != S.STATE_CANCELLED:
            yield _condition(review, condition, today, pack)


def soonest(item: pb.InboxItem) -> tuple[datetime.date, str, int]:
    """Order what is owed by its last day; what has none comes last."""
    return to_date(item.due_date) or LATEST, item.review, item.condition


def days_left(today: datetime.date, last: datetime.date, pack: Pack) -> int:
    """Return the working days from today until the last day; below 0 the working days since it was over."""
    if last < today:
        return -max(pack.working_days.between(last, today), 1)
    return pack.working_days.between(today, last)


def _opinion(
    review: pb.Review, opinion: pb.Opinion, today: datetime.date, pack: Pack
) -> pb.InboxItem:
    item = _item(review, opinion.department, pb.InboxItem.DUTY_OPINION)
    item.deputy = opinion.deputy
    item.ask_date.CopyFrom(opinion.ask_date)
    item.reminders = sum(reminder.HasField("sent_date") for reminder in opinion.reminders)
    item.paused = review.state == S.STATE_PAUSED
    if not item.paused:
        last = last_day(opinion)
        item.due_date.CopyFrom(from_date(last))
        item.due_provisional = opinion.due_provisional
        item.days_left = days_left(today, last, pack)
    return item


def _condition(
    review: pb.Review, condition: pb.Condition, today: datetime.date, pack: Pack
) -> pb.InboxItem:
    item = _item(review, condition.department, pb.InboxItem.DUTY_CONDITION)
    item.condition, item.text = condition.number, condition.text
    counted = pb.Condition()
    counted.CopyFrom(condition)
    date_condition(counted, review, pack)  # as the calendar of today has it
    last = to_date(counted.due_date)
    if last:
        item.due_date.CopyFrom(from_date(last))
        item.due_provisional = counted.due_provisional
        item.days_left = days_left(today, last, pack)
    return item


def _item(review: pb.Review, department: str, duty: pb.InboxItem.Duty.ValueType) -> pb.InboxItem:
    return pb.InboxItem(
        department=department,
        duty=duty,
        review=review.name,
        kind=review.kind,
        subject=review.subject,
        title=review.title,
        lead_department=review.lead_department,
        etag=review.etag,
        update_time=review.update_time,
    )
