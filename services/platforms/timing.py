"""What happens to a platform by itself: its public notice is over."""

from collections.abc import Sequence

from kernel.case import Case
from kernel.dates import ONE_DAY, Due, from_date, to_date
from kernel.deadline import Deadline, demand_due
from kernel.pack import Pack
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import S

IN_PUBLIC_NOTICE = S.STATE_IN_PUBLIC_NOTICE  # to find its number takes longer than to compare it


def deadlines(platform: pb.Platform) -> Sequence[Deadline]:
    """Return the end of a running notice. Its last day ends with the local day: it is over on the day after."""
    last = to_date(platform.public_notice.end_date) if _running(platform) else None
    if last is None:
        return ()
    return (Deadline(f"notice/{last}", last + ONE_DAY, "close_notice"),)


def _running(platform: pb.Platform) -> bool:
    in_notice = platform.state == IN_PUBLIC_NOTICE
    return in_notice and not platform.public_notice.HasField("close_date")


def close_notice(platform: pb.Platform, command: pb.CloseNoticePlatformRequest, case: Case) -> None:
    """Say that the public notice is over. Raises Refused while it runs."""
    demand_due(deadlines(platform), command.key, case.today)
    platform.public_notice.close_date.CopyFrom(from_date(case.today))


def outdated(platform: pb.Platform, pack: Pack) -> bool:
    """Tell whether the pack's calendar ends a running notice otherwise than the platform says."""
    notice, last = platform.public_notice, _last_day(platform, pack)
    said = (to_date(notice.end_date), notice.provisional)
    return last is not None and said != (last.date, last.provisional)


def reschedule(platform: pb.Platform, command: pb.ReschedulePlatformRequest, case: Case) -> None:
    """Count the notice's days anew by the calendar of today."""
    last = _last_day(platform, case.pack)
    if last is not None:
        platform.public_notice.end_date.CopyFrom(from_date(last.date))
        platform.public_notice.provisional = last.provisional


def _last_day(platform: pb.Platform, pack: Pack) -> Due | None:
    """Return when a running notice ends, where its length is known."""
    notice, start = platform.public_notice, to_date(platform.public_notice.start_date)
    if start is None or not notice.days or not _running(platform):
        return None
    return pack.last_day(start, notice.days, working=notice.working_days)
