"""What several of the funding records' actions ask: days, codes, amounts, room."""

import datetime
from collections.abc import Mapping, Sequence, Sized
from typing import Any

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Invalid, Problem, Refused, Violated
from luoshu.funding.v1 import funding_pb2 as pb

P = pb.Programme.State
C = pb.Call.State
A = pb.Application.State

S = pb.Sanction.State
H = pb.Hold.State

FEN_A_YUAN = 100
AWARDED = frozenset(
    {
        A.STATE_APPROVED,
        A.STATE_CONTRACTED,
        A.STATE_IN_PROGRESS,
        A.STATE_IN_ACCEPTANCE,
        A.STATE_COMPLETED,
        A.STATE_ACCEPTANCE_FAILED,
        A.STATE_EVALUATED,
        A.STATE_CLOSED,
        A.STATE_TERMINATED,
        A.STATE_REVOKED,
    }
)
"""An award was made: only such an application can be continued, and it counts for its investigator."""
UNFINISHED = frozenset(
    {A.STATE_APPROVED, A.STATE_CONTRACTED, A.STATE_IN_PROGRESS, A.STATE_ACCEPTANCE_FAILED}
)
"""Awarded, and nobody has asked for its acceptance: overdue once its last day is over."""
GONE = frozenset({A.STATE_DRAFT, A.STATE_WITHDRAWN, A.STATE_REFUSED, A.STATE_REJECTED})
"""Nobody decides about it any more, or not yet."""


def yuan(fen: int) -> str:
    """Return an amount as people read it: `1,200,000.00` (yuan, two decimals)."""
    return f"{fen // FEN_A_YUAN:,}.{fen % FEN_A_YUAN:02d}"


def required(value: object, field: str) -> None:
    """Raises Invalid where a field that the action needs is empty."""
    all_required({field: value})


def all_required(values: Mapping[str, object]) -> None:
    """Raises Invalid, or Violated with all the fields that the action needs and that are empty."""
    all_at_once(
        [
            Problem(
                field, "REQUIRED", f"{field} is empty; fill it in first", f"{field}为空；请先填写"
            )
            for field, value in values.items()
            if not value
        ]
    )


def all_at_once(problems: Sequence[Problem]) -> None:
    """Raises Invalid for one problem, Violated for several: a form is corrected in one go."""
    if len(problems) == 1:
        only = problems[0]
        raise Invalid(only.en, only.zh, field=only.field, reason=only.code)
    if problems:
        raise Violated(problems)


def check_score(hundredths: int, field: str) -> None:
    """Raises Invalid for a score of 1 point or less: whole points were given. 0: none was given."""
    if 0 < hundredths <= 100:
        raise Invalid(
            f"{hundredths} is {hundredths / 100:.2f} points, in hundredths; "
            f"for {hundredths} points give {hundredths * 100}",
            f"{hundredths} 表示 {hundredths / 100:.2f} 分（单位：百分之一分）；"
            f"{hundredths} 分请填写 {hundredths * 100}",
            field=field,
            reason="SCORE_IN_POINTS",
        )


def day(value: Any, field: str) -> datetime.date:
    """Return the day said. Raises Invalid where there is none, or no such day."""
    said = to_date(value, field)
    if said is None:
        raise Invalid(
            f"{field} is empty; give a day",
            f"{field}为空；请填写日期",
            field=field,
            reason="REQUIRED",
        )
    return said


def past_day(value: Any, field: str, case: Case) -> datetime.date:
    """Return the day said, else the day of the change. Raises Invalid for a day to come."""
    said = to_date(value, field) or case.effective
    if said > case.today:
        raise Invalid(
            f"{said} is in the future; the latest is {case.today}",
            f"{said}晚于今天；最晚为{case.today}",
            field=field,
            reason="DATE_IN_FUTURE",
        )
    return said


def in_order(first: Any, last: Any, field: str) -> None:
    """Raises Invalid where both days are given and reversed, or one is no such day."""
    begins, ends = to_date(first, field), to_date(last, field)
    if begins and ends and ends < begins:
        raise Invalid(
            f"{ends} is before {begins}; give a later day",
            f"{ends}早于{begins}；请填写更晚的日期",
            field=field,
            reason="DATES_REVERSED",
        )


def effective_day(case: Case) -> Any:
    """Return the day of the change, as the wire has it."""
    return from_date(case.effective)


def room(entries: Sized, most: int, what: str, what_zh: str) -> None:
    """Raises Refused where a list is full: an event has to stay under 60 KiB."""
    if len(entries) >= most:
        raise Refused(
            f"{most} {what} are on record, the most; end this record or start a successor",
            f"已登记{most}项{what_zh}，已达上限；请结束该记录或另行登记",
            reason="LIST_FULL",
        )


def programme_of(application: pb.Application, case: Case) -> pb.Programme:
    """Return the application's programme, to read. Raises Refused where a row has none."""
    _demand_home(application.programme, "programme")
    programme: pb.Programme = case.get(application.programme)
    return programme


def call_of(application: pb.Application, case: Case) -> pb.Call:
    """Return the application's call, to read. Raises Refused where a row has none."""
    _demand_home(application.call, "call")
    call: pb.Call = case.get(application.call)
    return call


def _demand_home(name: str, field: str) -> None:
    if not name:
        raise Refused(
            f"this imported row has no {field} here; import its outcome instead",
            "该历史数据在本系统没有对应的指南或专项；请直接导入其结果",
            field=field,
            reason="NO_HOME",
        )


def end(application: pb.Application, reason: str, document: str, case: Case) -> None:
    """Write down why, how, when and by whom it ended."""
    application.ending.reason, application.ending.document_number = reason, document
    application.ending.decided_by = case.caller.actor
    application.ending.date.CopyFrom(effective_day(case))
