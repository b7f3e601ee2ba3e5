"""What a department owes: opinions, conditions, findings to decide, and what its own records ask of it. Pure."""

import datetime
from collections.abc import Iterator

from kernel.dates import business_date, from_date, to_date
from kernel.pack import Pack
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.coordination.v1 import findings_pb2
from services.coordination.clock import S, date_condition, last_day, missing, unmet

LATEST = datetime.date.max
FINDING_DAYS = "finding-working-days"
"""Rule of the pack: within how many working days a finding is decided, once nobody is asked about it any more."""
PLANNED = frozenset({pb.InboxItem.DUTY_MILESTONE, pb.InboxItem.DUTY_OVERDUE})
SOON = datetime.timedelta(days=14)
"""From so long before its day on what is planned is shown."""


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


def items_of_agenda(
    agenda: pb.Agenda, department: str, today: datetime.date, pack: Pack
) -> Iterator[pb.InboxItem]:
    """Yield what a department owes of its own record; what is planned shows from some days before it is due."""
    if agenda.lead_department != department:
        return
    for entry in agenda.entries:
        last = to_date(entry.due_date)
        if entry.duty in PLANNED and last and last > today + SOON:
            continue
        item = pb.InboxItem(
            department=department,
            duty=entry.duty,
            review=agenda.name,
            subject=agenda.subject,
            title=agenda.title,
            lead_department=agenda.lead_department,
            text=entry.text,
            etag=agenda.etag,
            update_time=agenda.update_time,
            command=entry.command,
        )
        since = to_date(entry.from_date)
        if since is not None:
            counted = pack.add_working_days(since, entry.working_days)
            last, item.due_provisional = counted.date, counted.provisional
        _due(item, last, today, pack)
        yield item


def item_of_finding(
    finding: findings_pb2.Finding, asked: pb.Review | None, today: datetime.date, pack: Pack
) -> pb.InboxItem:
    """Return the decision that the leading department owes; while the other one is asked, its clock stands."""
    item = pb.InboxItem(
        department=finding.lead_department,
        duty=pb.InboxItem.DUTY_FINDING,
        review=finding.name,
        subject=finding.application,
        title=finding.title,
        lead_department=finding.lead_department,
        text=f"≈ {finding.other} {finding.candidate.score}‰",
        etag=finding.etag,
        update_time=finding.update_time,
        command=f"luoshu duplicates dispose {finding.name} --disposition … --reason …",
    )
    item.paused = asked is not None and asked.state == S.STATE_OPEN
    if not item.paused and FINDING_DAYS in pack.rules:
        since = to_date(asked.conclude_date) if asked is not None else None
        raised = since or business_date(finding.update_time)
        due = pack.add_working_days(raised, pack.rule(FINDING_DAYS, today))
        item.due_provisional = due.provisional
        _due(item, due.date, today, pack)
    return item


def _due(item: pb.InboxItem, last: datetime.date | None, today: datetime.date, pack: Pack) -> None:
    if last is not None:
        item.due_date.CopyFrom(from_date(last))
        item.days_left = days_left(today, last, pack)


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
    item.command = f"luoshu review opine {review.name} --verdict … --text …"
    item.deputy = opinion.deputy
    item.ask_date.CopyFrom(opinion.ask_date)
    item.reminders = sum(reminder.HasField("sent_date") for reminder in opinion.reminders)
    item.paused = review.state == S.STATE_PAUSED
    if not item.paused:
        last = last_day(opinion)
        item.due_provisional = opinion.due_provisional
        _due(item, last, today, pack)
    return item


def _condition(
    review: pb.Review, condition: pb.Condition, today: datetime.date, pack: Pack
) -> pb.InboxItem:
    item = _item(review, condition.department, pb.InboxItem.DUTY_CONDITION)
    item.command = f"luoshu review confirm {review.name} --number {condition.number} --evidence …"
    item.condition, item.text = condition.number, condition.text
    counted = pb.Condition()
    counted.CopyFrom(condition)
    date_condition(counted, review, pack)  # as the calendar of today has it
    item.due_provisional = counted.due_provisional
    _due(item, to_date(counted.due_date), today, pack)
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
