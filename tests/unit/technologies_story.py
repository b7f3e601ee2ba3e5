"""A breakthrough at each point of its life, for the tests of its rules."""

import dataclasses
import datetime
import functools
import re
from pathlib import Path
from typing import Any

import pytest

from kernel.case import Caller, Role
from kernel.dates import from_date
from kernel.errors import DomainError
from kernel.pack import Pack, Register, Rule, load
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.domain import LIFECYCLE
from tests.unit.fake_case import FakeCase, acted
from tests.unit.fake_case import checked as kernel_checked

State, Target = pb.Breakthrough.State, pb.Breakthrough.Target
Stage, Verdict = pb.ReadinessAssessment.Stage, pb.Milestone.Verdict
Assignment = pb.Breakthrough.Assignment
AGREED = pb.Publication.OUTCOME_AGREED

TODAY = datetime.date(2026, 3, 10)
BOILER = "91110000710926094P"
OTHER = "914403001922038216"
CHINESE = re.compile("[，；：（、]|[能请缺为须由不已]")
UNITS = [
    pb.Unit(name="河南四通锅炉有限公司", code=BOILER),
    pb.Unit(name="郑州大学", code=OTHER),
    pb.Unit(name="嵩山实验室"),
]


PUBLISHERS = ["DRC", "DST", "DIIT", "FINANCE"]


@functools.cache
def sealing() -> Pack:
    """The province's pack: bids are sealed."""
    return load(Path(__file__).parents[2] / "packs" / "henan")


@functools.cache
def henan() -> Pack:
    """The same where bids are open, and a bidding may be as short as it likes."""
    pack, left_out = sealing(), {"sealed-bids", "bidding-days"}
    rules = Register(Rule.NOUN, [rule for rule in pack.rules if rule.id not in left_out])
    return dataclasses.replace(pack, rules=rules)


def a_case(
    *roles: Role,
    department: str = "DST",
    actor: str = "zhao",
    today: datetime.date = TODAY,
    **more: Any,
) -> FakeCase:
    """The case officer of DST on an ordinary day, unless said otherwise."""
    caller = Caller(actor, department, frozenset(roles or (Role.CASE_OFFICER,)))
    return FakeCase(caller=caller, today=today, pack=more.pop("pack", henan()), **more)


def a_proposal(**fields: Any) -> pb.Breakthrough:
    record = pb.Breakthrough(
        name="breakthroughs/smart-boiler",
        state=State.STATE_DRAFT,
        author="wang",
        owner_unit=BOILER,
        lead_department="DST",
        title="超临界二氧化碳锅炉关键技术",
        direction="high-end-equipment",
        readiness_scale="iso16290",
        baseline_level=3,
        target_level=6,
        planned_start_date=from_date(datetime.date(2026, 1, 1)),
        planned_end_date=from_date(datetime.date(2027, 12, 31)),
    )
    for field in fields:
        record.ClearField(field)
    record.MergeFrom(pb.Breakthrough(**fields))
    return record


def act(record: pb.Breakthrough, action: str, case: FakeCase, **fields: Any) -> pb.Breakthrough:
    request = "".join(word.title() for word in action.split("_")) + "BreakthroughRequest"
    new: pb.Breakthrough = acted(LIFECYCLE, record, action, getattr(pb, request)(**fields), case)
    return new


def refused(kind: type[DomainError], code: str, *arguments: Any, **fields: Any) -> DomainError:
    """Return the refusal of an action, after checking that it speaks both languages."""
    before = arguments[0].SerializeToString(deterministic=True)
    with pytest.raises(kind) as raised:
        act(*arguments, **fields)
    assert raised.value.code == code
    assert not CHINESE.search(raised.value.en)
    assert CHINESE.search(raised.value.zh)
    assert arguments[0].SerializeToString(deterministic=True) == before
    return raised.value


def checked(record: pb.Breakthrough, case: FakeCase) -> pb.Breakthrough:
    new: pb.Breakthrough = kernel_checked(LIFECYCLE, record, case)
    return new


def day(*parts: int) -> Any:
    return from_date(datetime.date(*parts))


def listed() -> pb.Breakthrough:
    record = act(a_proposal(), "propose", a_case(Role.APPLICANT, department=BOILER))
    return act(record, "enlist", a_case(Role.APPROVER), list_document_number="豫科〔2026〕8号")


def agreed(record: pb.Breakthrough, outcome: int = AGREED) -> pb.Breakthrough:
    """The four departments were asked, and answered."""
    asked = act(record, "circulate", a_case(), publishing_departments=PUBLISHERS)
    told = {"review": "reviews/r1", "outcome": outcome}
    return act(asked, "conclude_circulation", a_case(Role.SYSTEM), **told)


def published(closes: datetime.date = TODAY, **changes: Any) -> pb.Breakthrough:
    return act(
        agreed(listed()), "publish_for_bids", a_case(**changes),
        publishing_departments=PUBLISHERS, bids_close_date=from_date(closes),
    )  # fmt: skip


def bid(record: pb.Breakthrough, of: str, fen: int = 500_000_00, **fields: Any) -> pb.Breakthrough:
    case = a_case(Role.APPLICANT, department=of, actor=f"account-of-{of}")
    told = {"units": UNITS, "plan": "分三步实现", "requested_fen": fen, **fields}
    return act(record, "submit_bid", case, **told)


def closed() -> pb.Breakthrough:
    record = bid(bid(published(), BOILER, leader=Person(name="pc1:li", subject="ps1-li")), OTHER)
    return act(record, "close_bids", a_case(today=TODAY + datetime.timedelta(days=1)))


def undertaken() -> pb.Breakthrough:
    record = act(closed(), "score_bid", a_case(Role.EXPERT_REVIEWER), bid="b1", score=9150)
    return act(record, "select_bidder", a_case(Role.APPROVER), bid="b1")


def in_progress(**fields: Any) -> pb.Breakthrough:
    told = {"baseline_level": 3, "evidence": "豫评〔2026〕3号", **fields}
    return act(undertaken(), "start", a_case(), **told)


def in_acceptance(record: pb.Breakthrough | None = None) -> pb.Breakthrough:
    case = a_case(Role.APPLICANT, department=BOILER)
    return act(record or midway(), "submit_for_acceptance", case, report="总结报告")


def midway(record: pb.Breakthrough | None = None) -> pb.Breakthrough:
    told = {"stage": Stage.STAGE_MIDDLE, "evidence": "中期测试报告 5", "level": 4}
    return act(record or in_progress(), "assess", a_case(Role.EXPERT_REVIEWER), **told)


def assessed(level: int, **fields: Any) -> pb.Breakthrough:
    told = {"stage": Stage.STAGE_ACCEPTANCE, "evidence": "验收测试报告 7", **fields}
    return act(in_acceptance(), "assess", a_case(Role.EXPERT_REVIEWER), level=level, **told)
