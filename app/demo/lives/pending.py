"""Work that waits: an application whose joint review is under way when the story ends, for the inbox to show."""

import datetime
from collections.abc import Iterator

from app.demo.lives.funding import CALL
from app.demo.people import (
    CAR_INVESTIGATOR,
    CAR_OFFICE,
    DIIT_EXPERTS,
    DIIT_OFFICER,
    DRC_OFFICER,
    DST_OFFICER,
    UNIVERSITY,
    ZHENGZHOU,
    ZHENGZHOU_BUREAU,
    unit,
)
from app.demo.stage import Stage
from kernel.dates import ONE_DAY

TRACTOR = "applications/demo-tractor"
REQUESTED = 300_0000_00  # fen


def application(stage: Stage) -> Iterator[datetime.date]:
    """From the draft to a review that one of three departments has answered."""
    yield stage.working_days(10)
    stage.create(
        CAR_OFFICE,
        "applications",
        "demo-tractor",
        "起草申请书 · draft",
        call=CALL,
        title="丘陵山地无人驾驶拖拉机底盘（示例）",
        topic="农机装备",
        abstract="坡地姿态调平底盘、线控转向与田间路径规划。",
        keywords=["农机", "无人驾驶"],
        consortium=[unit(UNIVERSITY)],
        principal_investigator=CAR_INVESTIGATOR,
        recommending_unit=ZHENGZHOU,
        start_date=stage.today,
        end_date=stage.today + ONE_DAY * 700,
        requested_fen=REQUESTED,
        budget=[{"category": "设备费", "amount_fen": REQUESTED}],
        applicant_unit={"name": "郑州示例智能汽车研究院"},
    )
    stage.act(CAR_OFFICE, TRACTOR, "submit", "提交 · submitted")
    yield stage.working_days(2)
    stage.act(ZHENGZHOU_BUREAU, TRACTOR, "recommend", "推荐 · recommended", opinion="同意推荐。")
    yield from _checked(stage)
    yield stage.before_the_end(4)
    stage.act(DIIT_OFFICER, TRACTOR, "open_joint_review", "提请会签 · joint review asked for")
    condition = f'application = "{TRACTOR}"'
    [review] = stage.until(lambda: stage.listed(DRC_OFFICER, "reviews", condition))
    stage.owes(DRC_OFFICER, "待办 · inbox")
    yield stage.working_days(1)
    stage.act(
        DST_OFFICER, review.name, "opine", "同意 · agrees", verdict="VERDICT_AGREE", text="同意。"
    )


def _checked(stage: Stage) -> Iterator[datetime.date]:
    yield stage.working_days(3)
    stage.act(DIIT_OFFICER, TRACTOR, "accept", "受理 · accepted")
    stage.act(
        DIIT_OFFICER, TRACTOR, "check_form", "形式审查 · formal check", result="CHECK_RESULT_PASSED"
    )
    yield stage.working_days(1)
    stage.act(
        DIIT_OFFICER, TRACTOR, "check_duplicates", "查重无重复 · no duplicate",
        result="DUPLICATE_RESULT_CLEAR", findings="近三年立项库中无相同或相近项目。",
    )  # fmt: skip
    yield stage.working_days(5)
    stage.act(
        DIIT_EXPERTS, TRACTOR, "record_expert_review", "专家评审 88 分 · expert review",
        score_hundredths=8800, opinion="建议立项。", recommended=True, experts=7,
    )  # fmt: skip
