"""The days of a review: by when each department answers, when it is reminded, when its silence counts. Pure."""

import datetime
from collections.abc import Iterator, Sequence

from kernel.case import Case
from kernel.dates import ONE_DAY, Span, from_date, to_date
from kernel.deadline import Deadline
from kernel.errors import Refused
from kernel.pack import Pack, ReviewRule
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.agreement import open_

S = pb.Review.State
RULES = {pb.Review.KIND_DUPLICATE: "duplicate", pb.Review.KIND_PUBLICATION: "open-bid-list"}
"""Id of the pack's rule for a kind of review that names none; the others: `default`."""


def rule_of(review: pb.Review, pack: Pack) -> ReviewRule:
    """Return the rule that a review goes by, as it was in force when it was opened."""
    named = review.rule or RULES.get(review.kind, "default")
    return pack.review_rules.get(
        named if named in pack.review_rules else "default", day(review.open_date)
    )


def day(value: object) -> datetime.date:
    """Return a day that is known to be set."""
    found = to_date(value)  # type: ignore[arg-type]
    assert found is not None  # noqa: S101 - set with the record
    return found


def missing(opinion: pb.Opinion) -> bool:
    """Tell whether an opinion is still owed."""
    return not (opinion.verdict or opinion.silent)


def pauses_of(review: pb.Review) -> list[Span]:
    """Return the times in which the clocks stood, without one that lasts."""
    return [(day(p.first_date), day(p.last_date)) for p in review.pauses if p.HasField("last_date")]


def schedule(opinion: pb.Opinion, review: pb.Review, pack: Pack) -> None:
    """Count an opinion's days: its last one, its reminders', its deputy's. What was sent stays as it was sent."""
    rule, asked, pauses = rule_of(review, pack), day(opinion.ask_date), pauses_of(review)
    due = pack.add_working_days(asked, rule.due_working_days, pauses)
    opinion.due_date.CopyFrom(from_date(due.date))
    opinion.due_provisional = due.provisional
    before = sorted(rule.remind_before, reverse=True)
    days = [pack.add_working_days(due.date, -count, pauses).date for count in before]
    sent = [reminder for reminder in opinion.reminders if reminder.HasField("sent_date")]
    later = [pb.Reminder(date=from_date(on)) for on in days if on > asked][len(sent) :]
    opinion.ClearField("reminders")
    opinion.reminders.extend([*sent, *later])
    if opinion.HasField("escalate_date"):
        last = pack.add_working_days(
            day(opinion.escalate_date), rule.escalation_working_days, pauses
        )
        opinion.deputy_due_date.CopyFrom(from_date(last.date))


def date_condition(condition: pb.Condition, review: pb.Review, pack: Pack) -> None:
    """Count by when a condition is to be met, where the rule says it."""
    days = rule_of(review, pack).condition_working_days
    if not days or not condition.HasField("set_date"):
        return
    due = pack.add_working_days(day(condition.set_date), days)
    condition.due_date.CopyFrom(from_date(due.date))
    condition.due_provisional = due.provisional


def last_day(opinion: pb.Opinion) -> datetime.date:
    """Return the last day of whoever is to answer now."""
    return day(opinion.deputy_due_date if opinion.HasField("escalate_date") else opinion.due_date)


def deadlines(review: pb.Review) -> Sequence[Deadline]:
    """Return what is due of a review; nothing while its clocks stand."""
    if review.state != S.STATE_OPEN:
        return ()
    return [due for opinion in review.opinions if missing(opinion) for due in _of(opinion)]


def _of(opinion: pb.Opinion) -> Iterator[Deadline]:
    key, over = f"{opinion.department}/{opinion.ask}", last_day(opinion) + ONE_DAY
    if opinion.HasField("escalate_date"):
        yield Deadline(f"{key}/silence", over, "fall_silent")
        return
    for number, reminder in enumerate(opinion.reminders):
        if not reminder.HasField("sent_date"):
            yield Deadline(f"{key}/remind-{number}", day(reminder.date), "remind")
    yield Deadline(f"{key}/escalate", over, "escalate")


def owed_now(review: pb.Review, key: str, case: Case) -> pb.Opinion:
    """Return the opinion that a deadline is about. Raises Refused: nothing such is due, or not yet."""
    due = next((found for found in deadlines(review) if found.key == key), None)
    if due is None or due.day > case.today:
        when = f"on {due.day}" if due else "no longer, or never was"
        raise Refused(
            f"{key} is due {when}; it happens by itself",
            f"{key} 现在未到期或已办理；到期由系统自动办理",
            reason="NOT_DUE",
        )
    return next(o for o in review.opinions if o.department == key.partition("/")[0])


def outdated(review: pb.Review, pack: Pack) -> bool:
    """Tell whether the pack's calendar counts the days otherwise than the review says."""
    anew = pb.Review()
    anew.CopyFrom(review)
    recount(anew, pack)
    return anew != review


def recount(review: pb.Review, pack: Pack) -> None:
    """Count the days of what is owed, as the pack's calendar has them now."""
    if review.state == S.STATE_OPEN:
        for opinion in filter(missing, review.opinions):
            schedule(opinion, review, pack)
        tidy(review)


def tidy(review: pb.Review) -> None:
    """Fill what follows from opinions and conditions: who owes something, and by when first."""
    owed = [opinion for opinion in review.opinions if missing(opinion)]
    owing = {opinion.department for opinion in owed} | {c.department for c in unmet(review)}
    review.owing_departments[:] = sorted(owing)
    if owed:
        first = min(owed, key=last_day)
        review.due_date.CopyFrom(from_date(last_day(first)))
        review.due_provisional = first.due_provisional


def unmet(review: pb.Review) -> list[pb.Condition]:
    """Return the conditions that are still to be met; none of a review that led to nothing: no award came of it."""
    agreed = review.outcome in (pb.OUTCOME_UNSPECIFIED, pb.OUTCOME_AGREED)
    if not (agreed or review.HasField("agreement")):
        return []
    return list(filter(open_, review.conditions))
