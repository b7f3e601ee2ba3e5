"""Money: a programme, a call, an application that three departments review together, an award, a payment."""

import datetime
from collections.abc import Iterator
from typing import Any

from app.demo.lives.technologies import BEARING
from app.demo.people import (
    BEARINGS,
    DIIT_APPROVER,
    DIIT_EXPERTS,
    DIIT_FINANCE,
    DIIT_OFFICER,
    DRC_OFFICER,
    DST_OFFICER,
    FINANCE_OFFICER,
    LUOYANG,
    LUOYANG_BUREAU,
    MACHINES_OFFICE,
    UNIVERSITY,
    unit,
)
from app.demo.stage import Stage
from kernel.dates import ONE_DAY, to_date

PROGRAMME = "programmes/demo-open-bids"
CALL = "calls/demo-intelligent-equipment"
AWARD = "applications/demo-boring-machine"
REQUESTED, APPROVED = 800_0000_00, 600_0000_00  # fen


def programme(stage: Stage) -> Iterator[datetime.date]:
    """A year's money, and what may be applied for."""
    year = stage.today.year
    stage.create(
        DIIT_OFFICER,
        "programmes",
        "demo-open-bids",
        "登记专项 · programme",
        title="重大产业关键技术攻关专项（示例）",
        policy="industrial-open-bids",
        ceilings=[{"year": year, "ceiling_fen": 5_000_0000_00}],
    )
    yield stage.working_days(1)
    stage.act(DIIT_APPROVER, PROGRAMME, "activate", "启用 · activated")
    stage.create(
        DIIT_OFFICER,
        "calls",
        "demo-intelligent-equipment",
        "起草指南 · call drafted",
        programme=PROGRAMME,
        title="智能装备方向申报指南（示例）",
        topics=["掘进装备", "农机装备"],
        year=year,
        open_date=stage.today,
        close_date=stage.today + ONE_DAY * 30,
        max_award_fen=REQUESTED,
    )
    yield stage.working_days(2)
    stage.act(DIIT_OFFICER, CALL, "publish", "发布 · published", document_number="示例〔公文〕6号")


def application(stage: Stage) -> Iterator[datetime.date]:
    """From the draft to the first instalment; other services' events move it on twice."""
    yield stage.working_days(8)
    stage.create(
        MACHINES_OFFICE,
        "applications",
        "demo-boring-machine",
        "起草申请书 · draft",
        call=CALL,
        title="超大直径盾构机智能掘进系统（示例）",
        topic="掘进装备",
        abstract="掘进参数自适应控制与主轴承健康管理。",
        keywords=["盾构", "智能控制"],
        consortium=[unit(UNIVERSITY), unit(BEARINGS)],
        principal_investigator={"name": "马骏", "identity_number": "410300197001010000"},
        recommending_unit=LUOYANG,
        breakthroughs=[BEARING],
        start_date=stage.today,
        end_date=stage.today + ONE_DAY * 700,
        requested_fen=REQUESTED,
        budget=[
            {"category": "设备费", "amount_fen": 500_0000_00},
            {"category": "业务费", "amount_fen": 300_0000_00},
        ],
        applicant_unit={"name": "洛阳示例重型装备有限公司"},
    )
    yield stage.working_days(1)
    stage.act(MACHINES_OFFICE, AWARD, "submit", "提交 · submitted")
    yield stage.working_days(2)
    stage.act(LUOYANG_BUREAU, AWARD, "recommend", "推荐 · recommended", opinion="同意推荐。")
    yield stage.working_days(2)
    stage.act(DIIT_OFFICER, AWARD, "accept", "受理 · accepted")
    yield from _checked(stage)
    yield from _reviewed_together(stage)
    yield from _awarded(stage)


def _checked(stage: Stage) -> Iterator[datetime.date]:
    yield stage.working_days(1)
    stage.act(
        DIIT_OFFICER, AWARD, "check_form", "形式审查 · formal check", result="CHECK_RESULT_PASSED"
    )
    yield stage.working_days(1)
    stage.act(
        DIIT_OFFICER, AWARD, "check_duplicates", "查重无重复 · no duplicate",
        result="DUPLICATE_RESULT_CLEAR", findings="近三年立项库中无相同或相近项目。",
    )  # fmt: skip
    yield stage.working_days(6)
    stage.act(
        DIIT_EXPERTS, AWARD, "record_expert_review", "专家评审 90.5 分 · expert review",
        score_hundredths=9050, opinion="建议立项。", recommended=True, experts=9,
    )  # fmt: skip


def _reviewed_together(stage: Stage) -> Iterator[datetime.date]:
    """Coordination opens a review by the event; with the last opinion funding goes on by itself."""
    yield stage.working_days(1)
    stage.act(DIIT_OFFICER, AWARD, "open_joint_review", "提请会签 · joint review asked for")
    condition = f'application = "{AWARD}"'
    found = stage.until(lambda: stage.listed(DRC_OFFICER, "reviews", condition))
    review: Any = found[0]
    stage.happened("coordination", "事件开启会签 · the event opened a review", review)
    stage.owes(DRC_OFFICER, "待办 · inbox")
    for officer, days in ((DST_OFFICER, 2), (DRC_OFFICER, 1)):
        yield stage.working_days(days)
        stage.act(
            officer, review.name, "opine", "同意 · agrees", verdict="VERDICT_AGREE", text="同意。"
        )
    yield stage.working_days(2)
    stage.act(
        FINANCE_OFFICER, review.name, "opine", "附条件同意 · agrees on a condition",
        verdict="VERDICT_AGREE_WITH_CONDITIONS", conditions=["设备采购须集中招标"],
    )  # fmt: skip
    moved = stage.until(lambda: _in_state(stage, "STATE_JOINTLY_REVIEWED"))
    stage.happened("funding", "事件推进项目 · the event moved the award on", moved)


def _in_state(stage: Stage, state: str) -> Any:
    record = stage.get(DIIT_OFFICER, AWARD)
    return record if record.state == record.State.Value(state) else None


def _awarded(stage: Stage) -> Iterator[datetime.date]:
    yield stage.working_days(1)
    record: Any = stage.act(DIIT_OFFICER, AWARD, "publish_notice", "开始公示 · public notice")
    yield stage.working_day_after(to_date(record.public_notice.end_date) or stage.today)
    award = {"document_number": "示例〔公文〕7号", "approved_fen": APPROVED}
    stage.refused(
        DIIT_OFFICER, AWARD, "approve", "经办人不能审批 · an officer cannot approve", **award
    )
    stage.act(DIIT_APPROVER, AWARD, "approve", "立项 600 万元 · approved, 6 million CNY", **award)
    yield stage.working_days(4)
    stage.act(
        DIIT_OFFICER, AWARD, "sign_contract", "签订任务书 · contract signed",
        number="DEMO-1", tasks="完成样机并示范应用。",
        instalments=[_instalment(1, 240_0000_00), _instalment(2, 240_0000_00), _instalment(3, 120_0000_00)],
        budget=[
            {"category": "设备费", "amount_fen": 400_0000_00},
            {"category": "业务费", "amount_fen": 200_0000_00},
        ],
    )  # fmt: skip
    yield stage.working_days(3)
    first = {"number": 1, "amount_fen": 240_0000_00, "voucher": "DEMO-V-1"}
    stage.refused(
        DIIT_FINANCE,
        AWARD,
        "pay_instalment",
        "条件未落实不得拨付 · a condition is not met",
        **first,
    )
    review = stage.get(DIIT_OFFICER, AWARD).joint_review.review
    stage.act(
        FINANCE_OFFICER, review, "confirm_condition", "条件已落实 · the condition is met",
        number=1, evidence="集中招标公告（示例）",
    )  # fmt: skip
    stage.until(lambda: _conditions_met(stage))
    stage.act(
        DIIT_FINANCE, AWARD, "pay_instalment", "拨付首期 240 万元 · first instalment, 2.4 million CNY",
        **first,
    )  # fmt: skip


def _conditions_met(stage: Stage) -> bool:
    owed = stage.get(DIIT_OFFICER, AWARD).joint_review.owed_conditions
    return all(condition.HasField("done_date") for condition in owed)


def _instalment(number: int, fen: int) -> dict[str, Any]:
    return {"number": number, "amount_fen": fen}
