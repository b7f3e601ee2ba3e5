"""Two platforms: a key laboratory until it is recognised, a new R&D institution through its joint review."""

import datetime
from collections.abc import Iterator
from typing import Any

from app.demo.people import (
    CAR_INSTITUTE,
    CAR_OFFICE,
    DST_APPROVER,
    DST_EXPERTS,
    DST_OFFICER,
    FINANCE_OFFICER,
    UNITS,
    UNIVERSITY,
    UNIVERSITY_OFFICE,
    ZHENGZHOU,
    ZHENGZHOU_BUREAU,
)
from app.demo.stage import Stage
from kernel.dates import ONE_DAY, to_date

LABORATORY = "platforms/demo-high-entropy-alloys"
INSTITUTE = "platforms/demo-smart-cars"


def laboratory(stage: Stage) -> Iterator[datetime.date]:
    """Draft to construction; the approver is one day too early, and is told which day is free."""
    stage.create(
        UNIVERSITY_OFFICE,
        "platforms",
        "demo-high-entropy-alloys",
        "起草申报书 · draft",
        title="河南省高熵合金重点实验室（示例）",
        english_title="Henan Key Laboratory of High-Entropy Alloys (sample)",
        kind="key-laboratory",
        supporting_unit_name=UNITS[UNIVERSITY],
        supporting_unit_code=UNIVERSITY,
        division=ZHENGZHOU,
        direction="new-materials",
        sub_field="高熵合金",
        abstract="面向极端服役环境的高熵合金成分设计、制备与评价。",
        recommending_unit=ZHENGZHOU,
        staff_count=42,
        equipment_fen=2_600_0000_00,
        contact={"name": "韩梅", "phone": "0371-60000000"},
    )
    stage.act(UNIVERSITY_OFFICE, LABORATORY, "submit", "提交申报 · submitted")
    yield stage.working_days(2)
    stage.act(ZHENGZHOU_BUREAU, LABORATORY, "recommend", "推荐 · recommended", opinion="同意推荐。")
    yield stage.working_days(3)
    stage.act(DST_OFFICER, LABORATORY, "accept", "受理 · accepted")
    yield stage.working_days(2)
    stage.act(DST_OFFICER, LABORATORY, "pass_formal_check", "形式审查 · formal check")
    yield stage.working_days(8)
    _experts(stage, LABORATORY, 8850)
    yield stage.working_days(3)
    stage.act(
        DST_EXPERTS, LABORATORY, "record_site_visit", "现场考察 · site visit",
        findings="设备与人员属实。", visitors_count=4, passed=True,
    )  # fmt: skip
    yield stage.working_days(2)
    notice = _notice(stage, LABORATORY)
    yield stage.working_days(2)
    document = {"document_number": "示例〔公文〕1号"}
    stage.refused(
        DST_APPROVER, LABORATORY, "recognize", "认定过早 · too early to recognise", **document
    )
    yield stage.working_day_after(notice)
    stage.act(DST_APPROVER, LABORATORY, "recognize", "认定 · recognised", **document)
    yield stage.working_days(4)
    stage.act(
        UNIVERSITY_OFFICE, LABORATORY, "start_construction", "开工建设 · construction",
        due_date=stage.today + ONE_DAY * 500, planned_investment_fen=5_000_0000_00,
    )  # fmt: skip


def institute(stage: Stage) -> Iterator[datetime.date]:
    """A kind that the Department of Finance has a say in, and an objection in the notice."""
    stage.create(
        CAR_OFFICE,
        "platforms",
        "demo-smart-cars",
        "起草备案材料 · draft",
        title="郑州示例智能网联汽车研究院",
        kind="new-rd-institution",
        supporting_unit_name=UNITS[CAR_INSTITUTE],
        supporting_unit_code=CAR_INSTITUTE,
        division=ZHENGZHOU,
        direction="nev-icv",
        abstract="智能网联汽车共性技术研发与成果转化。",
        recommending_unit=ZHENGZHOU,
    )
    yield stage.working_days(1)
    stage.act(CAR_OFFICE, INSTITUTE, "submit", "提交 · submitted")
    yield stage.working_days(2)
    stage.act(ZHENGZHOU_BUREAU, INSTITUTE, "recommend", "推荐 · recommended")
    yield stage.working_days(2)
    stage.act(DST_OFFICER, INSTITUTE, "accept", "受理 · accepted")
    stage.act(DST_OFFICER, INSTITUTE, "pass_formal_check", "形式审查 · formal check")
    yield stage.working_days(6)
    _experts(stage, INSTITUTE, 8120)
    yield stage.working_days(1)
    stage.act(DST_OFFICER, INSTITUTE, "open_joint_review", "发起会签 · joint review opened")
    yield stage.working_days(5)
    condition = f'subject = "{INSTITUTE}"'
    [review] = stage.until(lambda: stage.listed(FINANCE_OFFICER, "reviews", condition))
    stage.act(
        FINANCE_OFFICER, review.name, "opine", "财政厅同意 · Finance agrees",
        verdict="VERDICT_AGREE", text="同意备案。",
    )  # fmt: skip
    stage.until(lambda: stage.get(DST_OFFICER, INSTITUTE).joint_review.HasField("conclusion_date"))
    yield stage.working_days(2)
    notice = _notice(stage, INSTITUTE)
    yield stage.working_days(3)
    stage.act(
        DST_OFFICER, INSTITUTE, "record_objection", "登记异议 · objection recorded",
        content="质疑研发人员数量不实。", objector={"name": "匿名群众"},
    )  # fmt: skip
    yield stage.working_day_after(notice)
    document = {"document_number": "示例〔公文〕2号"}
    stage.refused(
        DST_APPROVER, INSTITUTE, "put_on_file", "备案受阻 · cannot be put on file", **document
    )
    stage.act(
        DST_OFFICER, INSTITUTE, "resolve_objection", "异议不成立 · objection not upheld",
        objection_number=1, upheld=False, resolution="经核查社保记录，人数属实。",
    )  # fmt: skip
    stage.act(DST_APPROVER, INSTITUTE, "put_on_file", "备案 · put on file", **document)
    yield stage.working_days(3)
    stage.act(DST_OFFICER, INSTITUTE, "start_operation", "投入运行 · operating")


def _experts(stage: Stage, name: str, score: int) -> None:
    stage.act(
        DST_EXPERTS, name, "record_expert_review", f"专家评审 {score / 100:g} 分 · expert review",
        score_hundredths=score, opinion="专家组同意通过。", experts=7, passed=True,
    )  # fmt: skip


def _notice(stage: Stage, name: str) -> datetime.date:
    """Publish the notice from today on, and return its last day."""
    record: Any = stage.act(
        DST_OFFICER, name, "publish_notice", "开始公示 · public notice",
        start_date=stage.today, document="省科技厅网站公示（示例）",
    )  # fmt: skip
    return to_date(record.public_notice.end_date) or stage.today
