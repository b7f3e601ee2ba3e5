"""What several actions of a breakthrough ask for. Pure: no clock, no database, no network."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from kernel.case import Case
from kernel.dates import from_date, to_date
from kernel.errors import Denied, Invalid, Problem, Refused, Violated
from luoshu.technologies.v1 import technologies_pb2 as pb

ROOM = 48 * 1024
"""Bytes from which on a record takes no more additions: what ends its life must still fit."""
CONSORTIUM = "consortium-units"
"""Id of the pack's rule."""
CONSORTIUM_UNITS = 3
"""Where the pack has no such rule."""


def words(value: str, field: str) -> str:
    """Return the text without blanks around it. Raises Invalid: nothing but blanks."""
    if value.strip():
        return value.strip()
    raise Invalid(
        f"{field} is empty; say it in words",
        f"{field} 为空；请填写文字",
        field=field,
        reason="REQUIRED",
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
    """Return a day that has to be given. Raises Invalid."""
    said = to_date(value, field)
    if said is None:
        raise Invalid(
            f"{field} is missing; give a day",
            f"缺少 {field}；请填写日期",
            field=field,
            reason="REQUIRED",
        )
    return said


def past_day(value: Any, case: Case, field: str) -> datetime.date:
    """Return the day given, or the day from which the change is true. Raises Invalid: it is still "
    "to come."""
    said = to_date(value, field) or case.effective
    if said > case.today:
        raise Invalid(
            f"{field} {said} is in the future; the latest is {case.today}",
            f"{field} {said} 晚于今天；最晚为 {case.today}",
            field=field,
            reason="IN_THE_FUTURE",
        )
    return said


def in_order(first: datetime.date | None, last: datetime.date | None, field: str) -> None:
    """Raise Invalid when something would end before it begins; "
    "a day that is not known is in order."""
    if first and last and last < first:
        raise Invalid(
            f"{field} {last} is before {first}, when it begins; give {first} or later",
            f"{field} {last} 早于开始日期 {first}；请填写 {first} 或之后的日期",
            field=field,
            reason="DATES_REVERSED",
        )


def end_early(record: pb.Breakthrough, reason: str, case: Case) -> int:
    """End what is not completed: whether it would have reached its target stays unknown."""
    record.end_reason = words(reason, "reason")
    if record.actual_start_date.year and not record.actual_end_date.year:
        record.actual_end_date.CopyFrom(from_date(case.effective))
    return pb.Breakthrough.STATE_TERMINATED


def roomy(record: pb.Breakthrough) -> None:
    """Raise Refused when the record is so full that its end might not fit."""
    if record.ByteSize() > ROOM:
        raise Refused(
            f"the record holds {record.ByteSize()} bytes and takes no more additions; "
            f"the limit is {ROOM}: open a new one",
            f"该记录已有 {record.ByteSize()} 字节，不能再追加内容（上限 {ROOM} 字节）；请另行登记",
            reason="RECORD_FULL",
        )


def undertaker(record: pb.Breakthrough, case: Case) -> None:
    """Raise Denied unless the caller is of the unit that undertakes the work, or of the lead "
    "department."""
    units = {record.undertaking_unit.code, *(bid.bidder for bid in record.bids if bid.selected)}
    if case.caller.department in (units - {""}) | {record.lead_department}:
        return
    raise Denied(
        f"{case.caller.department or 'no department'} neither undertakes this work nor leads it; "
        "ask its undertaking unit",
        f"{case.caller.department or '未注明部门'} 既不是承担单位也不是牵头部门；请由承担单位办理",
        reason="NOT_THE_UNDERTAKER",
    )


def distinct(units: Sequence[pb.Unit], field: str) -> None:
    """Raise Invalid when a unit stands twice."""
    seen: set[str] = set()
    for index, unit in enumerate(units):
        marks = {words(unit.name, f"{field}[{index}].name"), unit.code} - {""}
        if seen & marks:
            raise Invalid(
                f"{unit.name} stands twice among the units; name each once",
                f"“{unit.name}”重复；每个单位只填写一次",
                field=f"{field}[{index}]",
                reason="UNIT_TWICE",
            )
        seen |= marks


def found(items: Iterable[Any], key: str, noun: tuple[str, str], field: str) -> Any:
    """Return the item of that id. Raises Invalid, listing the ids."""
    known = {item.id: item for item in items}
    if key in known:
        return known[key]
    raise Invalid(
        f"no {noun[0]} '{key}'; there are: {', '.join(known) or 'none'}",
        f"没有{noun[1]}“{key}”；现有：{'、'.join(known) or '无'}",
        field=field,
        reason="UNKNOWN_ENTRY",
    )


def demand_consortium(units: Sequence[pb.Unit], case: Case, field: str) -> None:
    """Raise Invalid for fewer units than the pack asks of a consortium."""
    least = number(case, CONSORTIUM, CONSORTIUM_UNITS)
    if len(units) < least:
        raise Invalid(
            f"a bid takes a consortium of at least {least} units, not {len(units)}; add the others",
            f"揭榜须由至少 {least} 个单位组成联合体，现有 {len(units)} 个；请补充",
            field=field,
            reason="CONSORTIUM_TOO_SMALL",
        )


def number(case: Case, rule: str, otherwise: int) -> int:
    """Return a rule's number as of the day, the usual one where the pack has no such rule."""
    return case.pack.rule(rule, case.effective) if rule in case.pack.rules else otherwise


def live(record: pb.Breakthrough) -> list[pb.Bid]:
    """Return the bids of the round that is or was last open, less those that were withdrawn."""
    return [b for b in record.bids if b.round == record.bidding_round and not b.withdrawn]
