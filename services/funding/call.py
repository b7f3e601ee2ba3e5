"""A call (指南): what is wanted, and the window in which applications come in."""

from kernel.case import Case
from kernel.dates import ONE_DAY, from_date
from kernel.errors import Invalid, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.programme import demand_active
from services.funding.rules import C, day, effective_day, in_order, required, room, yuan

MOST_EXTENSIONS = 20


def check(call: pb.Call, case: Case) -> None:
    """Hold a call to its contract; its programme's department leads. Raises Invalid, NotFound."""
    call.title = call.title.strip()
    required(call.title, "title")
    day(call.open_date, "open_date")
    day(call.close_date, "close_date")
    in_order(call.open_date, call.close_date, "close_date")
    if call.consortium_max and call.consortium_min > call.consortium_max:
        raise Invalid(
            f"{call.consortium_min} to {call.consortium_max} units cannot be; raise the most",
            f"联合体最少{call.consortium_min}家而最多{call.consortium_max}家；请调高上限",
            field="consortium_max",
            reason="CONSORTIUM_BOUNDS",
        )
    programme = case.get(call.programme)
    call.lead_department = programme.lead_department
    if not case.importing and case.caller.department != programme.lead_department:
        raise Invalid(
            f"{programme.lead_department} leads {call.programme}; its calls are its own",
            f"{call.programme} 由{programme.lead_department}牵头；指南须由其登记",
            field="programme",
            reason="NOT_THE_LEAD",
        )


def publish(call: pb.Call, command: pb.PublishCallRequest, case: Case) -> None:
    """Publish the call. Raises Refused where nobody could apply, or the year has no money."""
    programme = case.get(call.programme)
    demand_active(programme, "publish")
    _demand_money(call, programme)
    last = day(call.close_date, "close_date")
    if last < case.today:
        raise Refused(
            f"the window ended on {last}; move close_date to today or later",
            f"申报窗口已于{last}结束；请将截止日期改为今天或以后",
            field="close_date",
            reason="WINDOW_OVER",
        )
    call.document_number = command.document_number
    call.publish_date.CopyFrom(effective_day(case))


def _demand_money(call: pb.Call, programme: pb.Programme) -> None:
    most = max((c.ceiling_fen for c in programme.ceilings if c.year == call.year), default=0)
    if not most or call.max_award_fen > most:
        raise Refused(
            f"an award of {yuan(call.max_award_fen)} CNY does not fit {call.year}'s ceiling, "
            f"{yuan(most)} CNY; set_ceiling first",
            f"单项{yuan(call.max_award_fen)}元超出{call.year}年度额度{yuan(most)}元；请先调整额度",
            field="max_award_fen",
            reason="CEILING_EXCEEDED",
        )


def extend(call: pb.Call, command: pb.ExtendCallRequest, case: Case) -> None:
    """Move the last day of the window. Raises Invalid for an earlier day or one in the past."""
    room(call.extensions, MOST_EXTENSIONS, "extensions", "延期")
    new = day(command.close_date, "close_date")
    old = day(call.close_date, "close_date")
    earliest = max(old + ONE_DAY, case.today)
    if new < earliest:
        raise Invalid(
            f"{new} does not extend the window; give {earliest} or later",
            f"{new}不能延长申报窗口；请填写{earliest}或以后的日期",
            field="close_date",
            reason="DATE_TOO_EARLY",
        )
    call.extensions.add(
        before=from_date(old),
        after=from_date(new),
        document_number=command.document_number,
        reason=command.reason,
    )
    call.close_date.CopyFrom(from_date(new))


def close(call: pb.Call, command: pb.CloseCallRequest, case: Case) -> None:
    """Close the call. Raises Refused while its window runs: it ends with its last local day."""
    last = day(call.close_date, "close_date")
    if case.today <= last:
        raise Refused(
            f"the window runs to the end of {last}; close it after that day, or cancel it",
            f"申报窗口至{last}结束；请在此后关闭，或取消该指南",
            reason="WINDOW_OPEN",
        )


def cancel(call: pb.Call, command: pb.CancelCallRequest, case: Case) -> None:
    """Withdraw a published call; applications that came in are ended one by one."""
    call.cancel_reason = command.reason


def demand_open(call: pb.Call, case: Case) -> None:
    """Raises Refused unless today is in the window: from the first to the end of the last day."""
    first, last = day(call.open_date, "open_date"), day(call.close_date, "close_date")
    if call.state == C.STATE_PUBLISHED and first <= case.today <= last:
        return
    state = C.Name(call.state)
    raise Refused(
        f"{call.name} is {state} on {case.today}; it takes applications {first} to {last}",
        f"{call.name} 在{case.today}不接受申报：状态 {state}，申报期为{first}至{last}",
        reason="CALL_NOT_OPEN",
    )
