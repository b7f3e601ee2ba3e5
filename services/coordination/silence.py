"""What happens when a department does not answer: reminders, its deputy, the rule for silence."""

from kernel.case import Case
from kernel.dates import from_date
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.agreement import stand_again
from services.coordination.clock import S, owed_now, recount, rule_of, schedule, tidy
from services.coordination.opinion import settle

DEEMED = "逾期未答复，按规定视为同意。No answer in time: deemed consent."
STANDS = "逾期未再答复，原不同意意见仍有效。No new answer in time: the objection stands."


def remind(review: pb.Review, command: pb.RemindReviewRequest, case: Case) -> None:
    """Remind a department. Raises Refused where no reminder is due."""
    opinion = owed_now(review, command.key, case)
    number = int(command.key.rpartition("-")[2])
    opinion.reminders[number].sent_date.CopyFrom(from_date(case.today))


def escalate(review: pb.Review, command: pb.EscalateReviewRequest, case: Case) -> int:
    """Put the question to the department's deputy; where the pack names none, silence counts at once."""
    opinion = owed_now(review, command.key, case)
    opinion.deputy = case.pack.deputy(opinion.department, case.today)
    if not opinion.deputy:
        return _silence(review, opinion, case)
    opinion.escalate_date.CopyFrom(from_date(case.today))
    schedule(opinion, review, case.pack)
    tidy(review)
    return S.STATE_OPEN


def fall_silent(review: pb.Review, command: pb.FallSilentReviewRequest, case: Case) -> int:
    """Apply the rule for silence. Raises Refused while the deputy may still answer."""
    return _silence(review, owed_now(review, command.key, case), case)


def _silence(review: pb.Review, opinion: pb.Opinion, case: Case) -> int:
    opinion.answer_date.CopyFrom(from_date(case.today))
    if opinion.objected:
        opinion.verdict, opinion.text = pb.VERDICT_OBJECT, STANDS
    elif rule_of(review, case.pack).deemed_consent:
        opinion.verdict, opinion.deemed, opinion.text = pb.VERDICT_AGREE, True, DEEMED
        stand_again(review, opinion)
    else:
        opinion.silent = True
    return settle(review, case)


def reschedule(review: pb.Review, command: pb.RescheduleReviewRequest, case: Case) -> None:
    """Count the days anew by the calendar of today."""
    recount(review, case.pack)
