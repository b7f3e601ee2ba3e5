"""What a rendered report says besides its figures, and how it writes numbers and days, in both
languages.
"""

import calendar
from collections.abc import Mapping

from google.type.date_pb2 import Date

from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.layouts import Words

TEXTS: Mapping[str, Words] = {
    "title": Words("Monthly report", "月报"),
    "subject": Words("Platforms, breakthroughs and funding", "创新平台、技术攻关与资金"),
    "closed": Words("Closed", "已关账"),
    "provisional": Words("Provisional", "临时数据"),
    "provisional_note": Words(
        "The month is not closed: these figures can still change and are not kept.",
        "本月尚未关账：以下数据仍可能变动，不予存档。",
    ),
    "edition": Words("Edition {}", "第{}版"),
    "as_of": Words("As of", "数据截至"),
    "known": Words("Known until the end of", "收录截至"),
    "digest": Words("SHA-256 of the kept edition", "存档版本 SHA-256"),
    "pack": Words("Policy pack", "政策包版本"),
    "cuts": Words("Journals read up to", "各库日志读至"),
    "overview": Words("At a glance", "概览"),
    "board": Words("Targets", "目标看板"),
    "target": Words("Target", "目标"),
    "value": Words("Counted", "已计入"),
    "aim": Words("Aim", "目标值"),
    "standing": Words("Standing", "进展"),
    "rule": Words("How it is counted", "计数口径"),
    "status": Words("Status", "状态"),
    "by_end": Words("By the end of the plan", "期末预测"),
    "forecast": Words("At this pace by the end of the plan: {}", "按目前进度，期末约为{}"),
    "no_registry": Words("not counted yet", "尚未计数"),
    "statistic": Words("official statistics", "统计部门数据"),
    "below": Words("below the aim", "未达目标值"),
    "reached": Words("reached", "已达目标"),
    "above": Words("above the aim", "高于目标值"),
    "records": Words("Records counted", "计入的记录"),
    "record": Words("Title", "名称"),
    "name": Words("Resource name", "记录编号"),
    "day": Words("Day", "日期"),
    "event": Words("Event", "事件"),
    "differences": Words("What differs from edition {}", "与第{}版的差异"),
    "figure": Words("Figure", "指标"),
    "before": Words("Before", "原值"),
    "after": Words("Now", "现值"),
    "events": Words("Late events", "迟到事件"),
    "in_all": Words("{} in all", "共{}件"),
    "total": Words("Total", "合计"),
    "none": Words("None.", "无。"),
    "in_month": Words("In the month", "本月"),
    "cumulative": Words("In all", "累计"),
    "unit_money": Words("CNY", "万元"),
    "unit_minor": Words("units of the currency", "各币种元"),
    "platforms_set_up": Words("platforms set up", "在册平台"),
    "platforms_new": Words("new in the month", "本月新认定平台"),
    "targets_reached": Words("breakthroughs that reached their target", "达到目标的技术攻关"),
    "approved_in": Words("approved in the month", "本月批准资金"),
    "paid_in": Words("paid in the month", "本月拨付资金"),
    "unclassified_note": Words(
        "Platforms: without the {} imported ones whose kind is not known; the tables have them. ",
        "平台数未计入{}家类型未知的导入平台，各分表已计入。",
    ),
    "reached_note": Words(
        "Breakthroughs that reached their target: all there are; a plan's target counts those since its first day.",
        "达到目标的技术攻关为历年累计；规划目标只计其起始日以后的。",
    ),
    "assessed_note": Words(
        "“Assessed in the month” counts breakthroughs by their last assessment; “times in the month” counts acts, and one "
        "breakthrough may be assessed several times, midway and at acceptance.",
        "“本月评定”按技术攻关计（以最近一次评定为准）；“本月办理次数”按办理次数计，同一项可在中期、验收时多次评定。",
    ),
    "note": Words(
        "The same events give the same report, byte for byte. An edition is never changed; what "
        "becomes known later makes a further edition with the differences.",
        "相同的事件产生逐字节相同的报告。已存档的版本不再变动；迟到的事件另成新版，并列出差异。",
    ),
}

BASES: Mapping[int, str] = {pb.BASIS_STATISTIC: "statistic", pb.BASIS_NO_REGISTRY: "no_registry"}
STANDINGS: Mapping[int, str] = {
    pb.STANDING_BELOW: "below",
    pb.STANDING_REACHED: "reached",
    pb.STANDING_ABOVE: "above",
}
OPERATORS: Mapping[int, Words] = {
    pb.OPERATOR_MORE_THAN: Words("> {}", "＞{}"),
    pb.OPERATOR_AT_LEAST: Words("≥ {}", "≥{}"),
    pb.OPERATOR_ABOUT: Words("about {}", "{}左右"),
    pb.OPERATOR_AT_MOST: Words("≤ {}", "≤{}"),
    pb.OPERATOR_LESS_THAN: Words("< {}", "＜{}"),
}

FEN_IN_YUAN, FEN_IN_WAN = 100, 1_000_000


class Language:
    """One language's words and numbers. `code`: `zh` or `en`."""

    def __init__(self, code: str) -> None:
        self.code = code

    def say(self, key: str, *parts: object) -> str:
        """Return a text of the table, its gaps filled."""
        return self.of(TEXTS[key]).format(*parts)

    def of(self, words: "Words | pb.Text") -> str:
        return words.zh if self.code == "zh" else words.en

    def number(self, value: int, unit: int = pb.UNIT_COUNT) -> str:
        """Return a number as people read it, with nothing rounded away; amounts see `money`."""
        if unit == pb.UNIT_FEN:
            return self.money(value)
        return exact(value, FEN_IN_YUAN) if unit == pb.UNIT_MINOR else f"{value:,}"

    def money(self, fen: int) -> str:
        """Return 万元 in Chinese, yuan in English; exact to the fen."""
        return exact(fen, FEN_IN_WAN if self.code == "zh" else FEN_IN_YUAN)

    def unit(self, unit: int) -> str:
        """Return an amount's unit in brackets, as a heading has it behind it."""
        if unit != pb.UNIT_FEN:
            return ""
        return (
            f"（{self.say('unit_money')}）" if self.code == "zh" else f" ({self.say('unit_money')})"
        )

    def signed(self, value: int, unit: int = pb.UNIT_COUNT) -> str:
        return f"+{self.number(value, unit)}" if value > 0 else self.number(value, unit)

    def day(self, day: Date) -> str:
        if self.code == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {calendar.month_name[day.month]} {day.year}"

    def month(self, day: Date) -> str:
        if self.code == "zh":
            return f"{day.year}年{day.month}月"
        return f"{calendar.month_name[day.month]} {day.year}"

    def aim(self, target: pb.Target) -> str:
        """Return a target's value with its operator and unit: `≥ 1,500,000 vehicles`."""
        whole, dot, rest = target.value.partition(".")
        value = f"{int(whole):,}{dot}{rest}"
        unit = self.of(target.unit)
        tight = self.code == "zh" or unit.startswith("%")
        operator = self.of(OPERATORS.get(target.operator, Words("{}", "{}")))
        return operator.format(f"{value}{'' if tight else ' '}{unit}")


def exact(value: int, parts: int) -> str:
    """Return value / parts with thousands' commas and as many decimals as it needs, at least two."""
    digits = len(str(parts)) - 1
    whole, rest = divmod(abs(value), parts)
    decimals = f"{rest:0{digits}d}".rstrip("0").ljust(2, "0")
    return f"{'-' if value < 0 else ''}{whole:,}.{decimals}"
