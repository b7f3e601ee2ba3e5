"""What rows are called in both languages: from the pack where it knows, else from the tables here,
else the key itself.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kernel.errors import Invalid
from kernel.pack import Entry, Pack, Register
from services.reports.facts import RECORDS
from services.reports.layouts import Layout, Words

E = TypeVar("E", bound=Entry)

NOT_STATED = Words("Not stated", "未注明")

STATES: Mapping[str, str] = {
    "DRAFT": "草稿",
    "SUBMITTED": "已申报",
    "PROPOSED": "已申报",
    "RETURNED": "已退回",
    "RECOMMENDED": "已推荐",
    "COMPLETION_REQUESTED": "待补正",
    "ACCEPTED": "已受理",
    "REFUSED": "不予受理",
    "FORMALLY_CHECKED": "形式审查通过",
    "DUPLICATES_CHECKED": "查重通过",
    "EXPERT_REVIEWED": "专家评审通过",
    "SITE_VISITED": "已现场考察",
    "IN_JOINT_REVIEW": "会签中",
    "COMPLETING_IN_REVIEW": "会签中补正",
    "JOINTLY_REVIEWED": "会签通过",
    "IN_PUBLIC_NOTICE": "公示中",
    "REJECTED": "未通过",
    "WITHDRAWN": "已撤回",
    "NURTURED": "培育中",
    "RECOGNIZED": "已认定",
    "APPROVED": "已批复",
    "PUT_ON_FILE": "已备案",
    "UNDER_CONSTRUCTION": "建设中",
    "OPERATING": "运行中",
    "IN_RECTIFICATION": "整改中",
    "REVOKED": "已撤销",
    "UPGRADED": "已升级",
    "MERGED": "已合并",
    "SPLIT": "已分立",
    "CLOSED": "已终止",
    "DECLINED": "不予列入",
    "LISTED": "列入榜单",
    "BIDDING": "揭榜挂帅中",
    "BIDS_CLOSED": "评榜中",
    "UNDERTAKEN": "已立项承担",
    "IN_PROGRESS": "攻关中",
    "IN_ACCEPTANCE": "验收中",
    "BROKEN_THROUGH": "已突破",
    "NOT_REACHED": "未达目标",
    "COMPLETED": "已完成未评定",
    "TERMINATED": "已终止",
    "CONTRACTED": "已签任务书",
    "ACCEPTANCE_FAILED": "验收不通过",
    "EVALUATED": "已绩效评价",
    "ACTIVE": "执行中",
    "SUSPENDED": "已暂停",
    "PUBLISHED": "已发布",
    "IMPOSED": "已生效",
    "LIFTED": "已解除",
    "STANDING": "认定重复",
    "RELEASED": "已排除",
    "CANCELLED": "已取消",
    "OPEN": "会签中",
    "CONCLUDED": "已办结",
}
"""States without their prefix."""

OWN_STATES: Mapping[tuple[str, str], str] = {
    ("applications", "APPROVED"): "已立项",
    ("applications", "IN_PROGRESS"): "实施中",
    ("applications", "COMPLETED"): "验收通过",
    ("applications", "CLOSED"): "已结题",
    ("applications", "REJECTED"): "不予立项",
    ("calls", "CLOSED"): "已截止",
    ("programmes", "CLOSED"): "已结束",
    ("reviews", "CANCELLED"): "已撤销",
    ("findings", "OPEN"): "待认定",
    ("agendas", "OPEN"): "待办",
    ("agendas", "SETTLED"): "已办",
    ("holds", "OPEN"): "待认定",
    ("findings", "DISPOSED"): "已认定",
    ("findings", "LAPSED"): "已失效",
    ("reviews", "PAUSED"): "补正中",
}
"""States that a collection calls otherwise."""

ACTIONS: Mapping[str, str] = {
    "create": "登记",
    "imported": "历史数据导入",
    "classify": "归类",
    "update": "修改",
    "submit": "申报",
    "propose": "申报",
    "withdraw": "撤回",
    "recommend": "推荐",
    "return_to_applicant": "退回申报单位",
    "return_to_proposer": "退回申报单位",
    "decline": "不予列入",
    "enlist": "列入榜单",
    "circulate": "征求联合发榜意见",
    "conclude_circulation": "联合发榜意见办结",
    "publish_for_bids": "发榜",
    "submit_bid": "揭榜",
    "reveal_bid": "开标",
    "withdraw_bid": "撤回揭榜",
    "close_bids": "截止揭榜",
    "lapse_bids": "逾期未开标失效",
    "score_bid": "评分",
    "select_bidder": "确定揭榜单位",
    "relist": "重新列榜",
    "commission": "定向委托",
    "start": "启动",
    "plan_milestones": "制定里程碑",
    "add_milestone": "增加里程碑",
    "reach_milestone": "里程碑考核",
    "assess": "就绪度评定",
    "change_plan": "计划变更",
    "submit_for_acceptance": "申请验收",
    "link_platform": "关联平台",
    "unlink_platform": "取消关联平台",
    "accept": "受理",
    "refuse": "不予受理",
    "request_completion": "要求补正",
    "complete": "补正",
    "pass_formal_check": "形式审查通过",
    "fail_formal_check": "形式审查不通过",
    "check_form": "形式审查",
    "check_duplicates": "查重",
    "record_expert_review": "专家评审",
    "record_site_visit": "现场考察",
    "open_joint_review": "发起会签",
    "conclude_joint_review": "会签办结",
    "follow_conditions": "会签条件进展",
    "ask_again": "再次征求意见",
    "follow_comparison": "查重比对完成",
    "follow": "查重认定进展",
    "resubmit": "补正后交回会签",
    "end_completion": "会签补正期满",
    "close_notice": "公示期满",
    "reschedule": "重新计算期限",
    "reject": "不予立项",
    "publish_notice": "公示",
    "record_objection": "登记异议",
    "resolve_objection": "处理异议",
    "nurture": "培育",
    "recognize": "认定",
    "approve": "批复",
    "put_on_file": "备案",
    "start_construction": "开工建设",
    "extend_construction": "建设延期",
    "pass_acceptance": "验收通过",
    "start_operation": "投入运行",
    "evaluate": "评价",
    "complete_rectification": "整改完成",
    "rename": "更名",
    "change_supporting_unit": "变更依托单位",
    "upgrade": "升级",
    "merge": "合并",
    "split": "分立",
    "close": "终止",
    "revoke": "撤销",
    "terminate": "终止",
    "sign_contract": "签订任务书",
    "pay_instalment": "拨付",
    "record_mid_term": "中期检查",
    "change_person": "变更负责人",
    "change_unit": "变更单位",
    "change_end_date": "延期",
    "change_budget": "预算调整",
    "conclude_acceptance": "验收",
    "recover": "追回",
    "carry_over": "结转",
    "record_milestone": "里程碑考核",
    "request_override": "提请例外",
    "decide_override": "决定例外",
    "impose": "处罚生效",
    "lift": "解除处罚",
    "open": "发起",
    "activate": "启用",
    "set_ceiling": "调整额度",
    "suspend": "暂停",
    "publish": "发布",
    "extend": "延长申报期",
    "opine": "反馈意见",
    "dispose": "认定",
    "raise_again": "再次提示",
    "lapse": "失效",
    "confirm_condition": "确认条件",
    "remind": "催办",
    "escalate": "升级代行",
    "fall_silent": "逾期处理",
    "pause": "暂停计时",
    "resume": "恢复计时",
    "revise": "内容变更",
    "conclude": "办结",
    "cancel": "撤销",
}
"""Actions in the order of a life: rows stand in it."""

OWN_ACTIONS: Mapping[tuple[str, str], str] = {
    ("breakthroughs", "accept"): "验收",
    ("programmes", "resume"): "恢复",
    ("programmes", "close"): "结束",
    ("calls", "close"): "截止",
    ("applications", "approve"): "立项",
    ("applications", "close"): "结题",
    ("applications", "evaluate"): "绩效评价",
}
"""Actions that a collection calls otherwise."""

REACHED: Mapping[str, Words] = {
    "TARGET_REACHED": Words("Target reached", "达到目标"),
    "TARGET_NOT_REACHED": Words("Target not reached", "未达到目标"),
    "": Words("Not assessed", "未评定"),
}

CURRENCIES: Mapping[str, str] = {
    "USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "HKD": "港元", "KRW": "韩元",
}  # fmt: skip

PREFIX = "STATE_"
STATES_OF: Mapping[str, Mapping[str, int]] = {
    collection: dict(record.State.items()) for collection, record in RECORDS.items()
}
"""The states of a collection with their numbers, which follow the order of a life."""
ACTION_ORDER = {name: number for number, name in enumerate(ACTIONS)}


def spoken(key: str) -> str:
    """Return `In public notice` for `IN_PUBLIC_NOTICE`, in the spelling of the texts."""
    words = key.lower().replace("_", " ").replace("recogniz", "recognis")
    return words[:1].upper() + words[1:]


def state(collection: str, key: str) -> Words:
    """Return what a state is called."""
    name = key.removeprefix(PREFIX)
    zh = OWN_STATES.get((collection, name)) or STATES.get(name, key)
    return Words(spoken(name), zh)


def action(collection: str, key: str) -> Words:
    """Return what an action is called."""
    return Words(spoken(key), OWN_ACTIONS.get((collection, key)) or ACTIONS.get(key, key))


@dataclass(frozen=True)
class Labels:
    """Labels as of one day. `titles`: of records that rows are named after, such as programmes."""

    pack: Pack
    day: datetime.date
    titles: Mapping[str, str] = field(default_factory=dict)

    def row(self, layout: Layout, key: str) -> Words:
        """Return what a row of a table is called."""
        if layout.dimension == "reached":
            return REACHED.get(key, Words(key, key))
        if not key:
            return NOT_STATED
        if layout.dimension == "state":
            return state(layout.collection, key)
        if layout.dimension == "action":
            return action(layout.collection, key)
        return self._entry(layout.dimension, key) or Words(key, key)

    def _entry(self, dimension: str, key: str) -> Words | None:
        pack = self.pack
        match dimension:
            case "kind":
                return named(pack.kinds, key, self.day)
            case "department":
                return named(pack.departments, key, self.day)
            case "direction":
                return named(pack.directions, key, self.day)
            case "division":
                return named(pack.reporting_units, key, self.day) or self._division(key)
            case "programme" if key in self.titles:
                return Words(self.titles[key], self.titles[key])
            case "currency":
                return Words(key, f"{CURRENCIES.get(key, '')}{key}")
        return None

    def _division(self, key: str) -> Words | None:
        known = self.pack.divisions.get(key)
        return Words(known.zh, known.zh) if known else None

    def order(self, layout: Layout, key: str) -> tuple[int, str]:
        """Return what rows are sorted by: the order of a life, else of keys; what is not stated
        comes last.
        """
        match layout.dimension:
            case "state":
                return STATES_OF[layout.collection].get(key, len(STATES)), key
            case "action":
                return ACTION_ORDER.get(key, len(ACTION_ORDER)), key
            case _:
                return int(not key), key


def named(register: Register[E], key: str, day: datetime.date) -> Words | None:
    """Return the names of a pack's entry as it is on the day, else of its newest version; None for
    an unknown one.
    """
    if key not in register:
        return None
    try:
        entry = register.get(key, day)
    except Invalid:
        entry = register.get(key)
    return Words(entry.en[:1].upper() + entry.en[1:], entry.zh)
