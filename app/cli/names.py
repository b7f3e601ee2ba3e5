"""Chinese names of choices that no import template has; the screens print them, and the command line takes them as values."""

from collections.abc import Mapping

OWN_NAMES: Mapping[str, Mapping[str, str]] = {
    "luoshu.coordination.v1.Review.State": {
        "STATE_OPEN": "会签中",
        "STATE_CONCLUDED": "已办结",
        "STATE_CANCELLED": "已撤销",
        "STATE_PAUSED": "补正中",
    },
    "luoshu.coordination.v1.Agenda.State": {
        "STATE_OPEN": "待办",
        "STATE_SETTLED": "已办",
    },
    "luoshu.coordination.v1.Finding.State": {
        "STATE_OPEN": "待认定",
        "STATE_DISPOSED": "已认定",
        "STATE_LAPSED": "已失效",
    },
    "luoshu.coordination.v1.Disposition": {
        "DISPOSITION_DUPLICATE": "重复",
        "DISPOSITION_CONTINUATION": "延续",
        "DISPOSITION_DISTINCT": "不同",
    },
    "luoshu.coordination.v1.Basis": {
        "BASIS_TEXT": "文本",
        "BASIS_FACTS": "要素",
        "BASIS_MEANING": "跨语言",
    },
    "luoshu.coordination.v1.Part.Kind": {
        "KIND_WORDS": "词语",
        "KIND_SENTENCES": "句子",
        "KIND_COPIED": "原文",
        "KIND_MEANING": "语义",
        "KIND_UNITS": "单位",
        "KIND_INVESTIGATOR": "负责人",
        "KIND_PERIOD": "实施期限",
        "KIND_BUDGET": "预算",
        "KIND_BREAKTHROUGHS": "技术攻关",
        "KIND_PLATFORMS": "创新平台",
    },
    "luoshu.coordination.v1.InboxItem.Duty": {
        "DUTY_OPINION": "出具意见",
        "DUTY_CONDITION": "确认条件",
        "DUTY_FINDING": "认定查重",
        "DUTY_OVERRIDE": "决定例外",
        "DUTY_APPROVAL": "审批",
        "DUTY_OBJECTION": "处理异议",
        "DUTY_MILESTONE": "里程碑考核",
        "DUTY_OVERDUE": "逾期项目",
        "DUTY_ERASURE": "删除个人信息",
    },
    "luoshu.coordination.v1.Outcome": {
        "OUTCOME_AGREED": "同意",
        "OUTCOME_OBJECTED": "不同意",
        "OUTCOME_UNANSWERED": "未答复",
    },
    "luoshu.coordination.v1.Review.Kind": {
        "KIND_JOINT_REVIEW": "会签",
        "KIND_DUPLICATE": "查重",
        "KIND_PUBLICATION": "联合发榜",
    },
    "luoshu.coordination.v1.Verdict": {
        "VERDICT_AGREE": "同意",
        "VERDICT_AGREE_WITH_CONDITIONS": "附条件同意",
        "VERDICT_OBJECT": "不同意",
        "VERDICT_RECUSE": "回避",
    },
    "luoshu.funding.v1.CheckResult": {
        "CHECK_RESULT_PASSED": "通过",
        "CHECK_RESULT_FAILED": "不通过",
    },
    "luoshu.funding.v1.DuplicateResult": {
        "DUPLICATE_RESULT_CLEAR": "无重复",
        "DUPLICATE_RESULT_CONTINUATION": "延续",
        "DUPLICATE_RESULT_DUPLICATE": "重复",
    },
    "luoshu.funding.v1.JointReviewOutcome": {
        "JOINT_REVIEW_OUTCOME_AGREED": "同意",
        "JOINT_REVIEW_OUTCOME_OBJECTED": "不同意",
        "JOINT_REVIEW_OUTCOME_WITHDRAWN": "未作决定",
    },
    "luoshu.funding.v1.DayKind": {
        "DAY_KIND_WORKING": "工作日",
        "DAY_KIND_CALENDAR": "自然日",
    },
    "luoshu.funding.v1.MidTermResult": {
        "MID_TERM_RESULT_ON_TRACK": "正常推进",
        "MID_TERM_RESULT_RECTIFY": "限期整改",
        "MID_TERM_RESULT_STOP": "建议终止",
    },
    "luoshu.funding.v1.ChangeKind": {
        "CHANGE_KIND_PERSON": "变更负责人",
        "CHANGE_KIND_UNIT": "变更单位",
        "CHANGE_KIND_DELAY": "延期",
        "CHANGE_KIND_BUDGET": "预算调整",
    },
    "luoshu.funding.v1.EligibilityStage": {
        "ELIGIBILITY_STAGE_SUBMISSION": "申报",
        "ELIGIBILITY_STAGE_APPROVAL": "立项",
        "ELIGIBILITY_STAGE_PAYMENT": "拨付",
        "ELIGIBILITY_STAGE_CHANGE": "变更",
    },
    "luoshu.funding.v1.Hold.State": {
        "STATE_OPEN": "待认定",
        "STATE_STANDING": "认定重复",
        "STATE_RELEASED": "已排除",
    },
    "luoshu.platforms.v1.DepartmentOpinion.Verdict": {
        "VERDICT_AGREES": "同意",
        "VERDICT_DISAGREES": "不同意",
        "VERDICT_DEEMED": "视为同意",
        "VERDICT_RECUSED": "回避",
        "VERDICT_SILENT": "未答复",
    },
    "luoshu.technologies.v1.Milestone.Verdict": {
        "VERDICT_GO": "通过",
        "VERDICT_NO_GO": "不通过",
    },
    "luoshu.technologies.v1.Publication.Outcome": {
        "OUTCOME_AGREED": "同意联合发榜",
        "OUTCOME_OBJECTED": "不同意",
        "OUTCOME_UNANSWERED": "未答复",
    },
    "luoshu.technologies.v1.ReadinessAssessment.Stage": {
        "STAGE_START": "启动",
        "STAGE_MIDDLE": "中期",
        "STAGE_ACCEPTANCE": "验收",
    },
}
"""Enum → value → Chinese name."""
