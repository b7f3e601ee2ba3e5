"""A joint review as the kernel would keep it, on the days of the pack's own calendar."""

import datetime
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from kernel.case import Caller, Role
from kernel.dates import to_date
from kernel.deadline import Deadline
from kernel.pack import Pack, load
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.clock import deadlines
from services.coordination.consumer import FIELDS, asking
from services.coordination.domain import LIFECYCLE
from services.coordination.marking import marks
from services.coordination.naming import review_name
from tests.unit.fake_case import FakeCase, acted, checked

S = pb.Review.State
HENAN = Path(__file__).parents[2] / "packs" / "henan"
BEFORE_HOLIDAY = datetime.date(
    2026, 9, 22
)  # a Tuesday; the Mid-autumn Festival and National Day follow
SYSTEM = Caller("coordination", "SYSTEM", frozenset({Role.SYSTEM}))


@cache
def henan() -> Pack:
    return load(HENAN)


def with_rule(rule: str, **more: Any) -> Pack:
    """Return the pack with one joint review rule changed."""
    pack = henan()
    rules = [replace(r, **more) if r.id == rule else r for r in pack.review_rules]
    return replace(pack, review_rules=type(pack.review_rules)(("rule", "规则"), rules))


def officer(department: str, actor: str = "") -> Caller:
    return Caller(actor or department.lower(), department, frozenset({Role.CASE_OFFICER}))


def application(**more: Any) -> funding.Application:
    said: dict[str, Any] = {
        "name": "applications/a1",
        "revision": 7,
        "title": "固态电池",
        "abstract": "电解质界面",
        "requested_fen": 200_0000_00,
        "lead_department": "DST",
        "joint_review": funding.JointReview(departments=["DRC", "DIIT", "FINANCE"], round=1),
    }
    return funding.Application(**{**said, **more})


@dataclass
class Reviewing:
    """One review and the day. `day` moves by hand; `pass_to` lets what is due happen on the way, as the timekeeper does."""

    pack: Pack = field(default_factory=henan)
    day: datetime.date = BEFORE_HOLIDAY
    review: pb.Review = field(default_factory=pb.Review)
    fired: list[tuple[datetime.date, str]] = field(default_factory=list)
    others: dict[str, pb.Review] = field(default_factory=dict)

    def case(self, caller: Caller) -> FakeCase:
        return FakeCase(records=dict(self.others), today=self.day, pack=self.pack, caller=caller)

    def open(self, said: funding.Application | None = None) -> "Reviewing":
        asked = asking(said or application())
        asked.name = review_name(asked.subject, asked.round)
        self.review = checked(LIFECYCLE, asked, self.case(SYSTEM))
        return self

    def do(self, action: str, caller: Caller = SYSTEM, **said: Any) -> pb.Review:
        noun = "".join(word.title() for word in action.split("_"))
        request = getattr(pb, f"{noun}ReviewRequest")(**said)
        self.review = acted(LIFECYCLE, self.review, action, request, self.case(caller))
        return self.review

    def opine(self, department: str, verdict: str = "AGREE", actor: str = "", **said: Any) -> Any:
        value = pb.Verdict.Value(f"VERDICT_{verdict}")
        return self.do("opine", officer(department, actor), verdict=value, **said)

    def change(self, action: str, said: funding.Application) -> pb.Review:
        return self.do(action, basis=list(marks(said, FIELDS)), basis_revision=said.revision)

    def due(self) -> list[Deadline]:
        return [d for d in deadlines(self.review) if d.day <= self.day]

    def pass_to(self, day: datetime.date) -> "Reviewing":
        while self.day < day:
            self.day += datetime.timedelta(1)
            while found := self.due():
                self.do(found[0].action, key=found[0].key)
                self.fired.append((self.day, found[0].key))
        return self

    def opinion(self, department: str) -> pb.Opinion:
        return next(o for o in self.review.opinions if o.department == department)

    def due_day(self, department: str) -> datetime.date:
        day = to_date(self.opinion(department).due_date)
        assert day is not None
        return day
