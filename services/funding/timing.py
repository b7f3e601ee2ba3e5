"""What happens to an application by itself: a public notice is over, the time to complete in a review has run out."""

import datetime
from collections.abc import Sequence

from kernel.case import Case
from kernel.dates import ONE_DAY, Due, from_date, to_date
from kernel.deadline import Deadline, demand_due
from kernel.pack import Pack
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.joint_review import put_to_departments
from services.funding.rules import A


def deadlines(application: pb.Application) -> Sequence[Deadline]:
    """Return what is due of an application. A last day ends with the local day: it is over on the day after."""
    if application.state == A.STATE_COMPLETING_IN_REVIEW:
        return _after(application.completion.complete_by, "completion", "end_completion")
    if _in_notice(application):
        return _after(application.public_notice.end_date, "notice", "close_notice")
    return ()


def _in_notice(application: pb.Application) -> bool:
    running = not application.public_notice.HasField("close_date")
    return application.state == A.STATE_IN_PUBLIC_NOTICE and running


def _after(last: object, what: str, action: str) -> Sequence[Deadline]:
    day = to_date(last)  # type: ignore[arg-type]
    return [Deadline(f"{what}/{day}", day + ONE_DAY, action)] if day else ()


def end_completion(
    application: pb.Application, command: pb.EndCompletionApplicationRequest, case: Case
) -> None:
    """Let the joint review go on with the application as it is. Raises Refused before the last day is over."""
    demand_due(deadlines(application), command.key, case.today)
    put_to_departments(application)


def close_notice(
    application: pb.Application, command: pb.CloseNoticeApplicationRequest, case: Case
) -> None:
    """Say that the public notice is over. Raises Refused while it runs."""
    demand_due(deadlines(application), command.key, case.today)
    application.public_notice.close_date.CopyFrom(from_date(case.today))


def outdated(application: pb.Application, pack: Pack) -> bool:
    """Tell whether the pack's calendar ends a running notice otherwise than the application says."""
    notice, last = application.public_notice, _last_day(application, pack)
    said = (to_date(notice.end_date), notice.provisional)
    return last is not None and said != (last.date, last.provisional)


def reschedule(
    application: pb.Application, command: pb.RescheduleApplicationRequest, case: Case
) -> None:
    """Count the notice's days anew by the calendar of today."""
    last = _last_day(application, case.pack)
    if last is not None:
        application.public_notice.end_date.CopyFrom(from_date(last.date))
        application.public_notice.provisional = last.provisional


def _last_day(application: pb.Application, pack: Pack) -> Due | None:
    """Return when a running notice ends, where its length is known."""
    notice = application.public_notice
    start: datetime.date | None = to_date(notice.start_date)
    if start is None or not notice.days or not _in_notice(application):
        return None
    return pack.last_day(start, notice.days, working=notice.day_kind == pb.DAY_KIND_WORKING)
