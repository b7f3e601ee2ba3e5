"""A breakthrough: listed, bid for, undertaken, assessed, and found to reach its target."""

import datetime
from collections.abc import Iterator

from app.demo.people import (
    BEARINGS,
    BEARINGS_OFFICE,
    CAR_INSTITUTE,
    DIIT_OFFICER,
    DRC_OFFICER,
    DST_APPROVER,
    DST_EXPERTS,
    DST_OFFICER,
    FINANCE_OFFICER,
    MACHINES,
    MACHINES_OFFICE,
    UNIVERSITY,
    unit,
)
from app.demo.stage import Stage
from kernel.dates import ONE_DAY
from luoshu.client.seals import seal_of
from luoshu.technologies.v1.technologies_pb2 import BidContent, SealedBid, Unit

BEARING = "breakthroughs/demo-main-bearing"
OWN_BEARING = BidContent(
    units=[Unit(**unit(code)) for code in (BEARINGS, UNIVERSITY, MACHINES)],
    plan="材料、工艺、台架试验三步实现。",
    requested_fen=1_100_0000_00,
)
LICENSED_BEARING = BidContent(
    units=[Unit(**unit(code)) for code in (MACHINES, CAR_INSTITUTE, UNIVERSITY)],
    plan="引进消化后自主化。",
    requested_fen=1_200_0000_00,
)
SALTS = (bytes(range(32)).hex(), bytes(range(32, 64)).hex())
"""Of a sample: a bidder's own come from `new_salt`."""
SEALS = [
    seal_of(SealedBid(breakthrough=BEARING, bidder=bidder, salt=salt, content=content))
    for bidder, salt, content in (
        (BEARINGS, SALTS[0], OWN_BEARING),
        (MACHINES, SALTS[1], LICENSED_BEARING),
    )
]
PUBLISHERS = ["DST", "DRC", "DIIT", "FINANCE"]


def breakthrough(stage: Stage) -> Iterator[datetime.date]:
    """Its months are told in weeks: no real technology rises so fast."""
    stage.create(
        DST_OFFICER,
        "breakthroughs",
        "demo-main-bearing",
        "起草榜单 · draft",
        title="大型盾构主轴承关键技术（示例）",
        english_title="Main bearings of large tunnel boring machines (sample)",
        abstract="直径 3 米级主轴承的材料、热处理与寿命评价。",
        direction="high-end-equipment",
        sei_code="2",
        target_level=6,
        planned_start_date=stage.today,
        planned_end_date=stage.today + ONE_DAY * 400,
        budget_fen=1_200_0000_00,
    )
    yield stage.working_days(1)
    stage.act(DST_OFFICER, BEARING, "propose", "提出 · proposed")
    yield stage.working_days(2)
    stage.act(
        DST_APPROVER, BEARING, "enlist", "列入榜单 · listed", list_document_number="示例〔公文〕3号"
    )
    yield from _consented(stage)
    closes = stage.working_day_after(stage.today + ONE_DAY * (stage.pack.rule("bidding-days") - 1))
    stage.act(
        DST_OFFICER, BEARING, "publish_for_bids", "四部门联合发榜 · open for bids",
        publishing_departments=PUBLISHERS, bids_close_date=closes,
    )  # fmt: skip
    yield stage.working_days(4)
    stage.act(
        BEARINGS_OFFICE, BEARING, "submit_bid", "联合体密封揭榜 · a consortium bids, sealed",
        seal=SEALS[0],
    )  # fmt: skip
    yield closes
    stage.act(
        MACHINES_OFFICE, BEARING, "submit_bid", "另一联合体揭榜 · another one bids",
        seal=SEALS[1],
    )  # fmt: skip
    yield stage.working_day_after(closes)
    stage.until(lambda: stage.get(DST_OFFICER, BEARING).bids_closed_date.year)
    stage.happened(
        "洛书 system", "到期自动截止 · closed by itself", stage.get(DST_OFFICER, BEARING)
    )
    for office, bid, content, salt in (
        (BEARINGS_OFFICE, "b1", OWN_BEARING, SALTS[0]),
        (MACHINES_OFFICE, "b2", LICENSED_BEARING, SALTS[1]),
    ):
        stage.act(
            office, BEARING, "reveal_bid", f"{bid} 开标 · revealed",
            bid=bid, content=content, salt=salt,
        )  # fmt: skip
    for bid, score in (("b1", 9150), ("b2", 7840)):
        stage.act(
            DST_EXPERTS, BEARING, "score_bid", f"{bid} 评 {score / 100:g} 分 · scored",
            bid=bid, score=score,
        )  # fmt: skip
    yield stage.working_days(2)
    stage.act(
        DST_APPROVER, BEARING, "select_bidder", "选定 b1 · b1 selected",
        bid="b1", document_number="示例〔公文〕4号",
    )  # fmt: skip
    stage.act(
        BEARINGS_OFFICE, BEARING, "plan_milestones", "制定里程碑 · milestones",
        milestones=[{"title": "样件台架试验", "due_date": stage.today + ONE_DAY * 200}],
    )  # fmt: skip
    yield stage.working_days(1)
    stage.act(
        DST_OFFICER, BEARING, "start", "开始攻关，就绪度 4 · started at level 4",
        baseline_level=4, evidence="实验室验证报告", assessor="示例评估机构",
    )  # fmt: skip
    yield stage.working_days(4)
    stage.act(
        DST_EXPERTS, BEARING, "assess", "中期评定为 5 级 · assessed midway at level 5",
        level=5, stage="STAGE_MIDDLE", evidence="台架中期试验记录", assessor="示例评估机构",
    )  # fmt: skip
    yield stage.working_days(4)
    stage.act(
        DST_OFFICER, BEARING, "reach_milestone", "里程碑通过 · milestone reached",
        milestone="m1", verdict="VERDICT_GO", evidence="台架试验报告",
    )  # fmt: skip
    yield stage.working_days(3)
    stage.act(
        BEARINGS_OFFICE, BEARING, "submit_for_acceptance", "申请验收 · asks for acceptance",
        report="完成全部任务。",
    )  # fmt: skip
    yield stage.working_days(2)
    stage.act(
        DST_EXPERTS, BEARING, "assess", "验收评定为 6 级 · assessed at level 6",
        level=6, stage="STAGE_ACCEPTANCE", evidence="现场掘进 500 米记录", assessor="示例评估机构",
    )  # fmt: skip
    yield stage.working_days(1)
    stage.act(
        DST_APPROVER, BEARING, "accept", "验收，达到目标 · accepted, target reached",
        document_number="示例〔公文〕5号",
    )  # fmt: skip


def _consented(stage: Stage) -> Iterator[datetime.date]:
    """The other three departments consent; with the last one the list may be published."""
    stage.act(
        DST_OFFICER, BEARING, "circulate", "征求联合发榜意见 · asks for a joint publication",
        publishing_departments=PUBLISHERS,
    )  # fmt: skip
    condition = f'subject = "{BEARING}"'
    [review] = stage.until(lambda: stage.listed(DRC_OFFICER, "reviews", condition))
    yield stage.working_days(1)
    for officer in (DRC_OFFICER, DIIT_OFFICER, FINANCE_OFFICER):
        stage.act(
            officer, review.name, "opine", "同意联合发榜 · consents",
            verdict="VERDICT_AGREE", text="同意。",
        )  # fmt: skip
    stage.until(lambda: stage.get(DST_OFFICER, BEARING).publication.outcome)
