"""A small province for the funding rules: a programme, a call, somebody for every role."""

import datetime
from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from app.settings import ROOT
from kernel.case import Caller, Reference, Role
from kernel.dates import ONE_DAY, from_date
from kernel.errors import DomainError
from kernel.lifecycle import Lifecycle
from kernel.pack import (
    Department,
    FundingSource,
    Notice,
    Pack,
    Programme,
    Register,
    ReportingUnit,
    ReviewRule,
    Rule,
    load,
)
from kernel.rights import demand, standing_of
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from services.funding.domain import APPLICATION, CALL, PROGRAMME, SANCTION
from tests.unit.fake_case import TODAY, FakeCase, copied

P, C, A = pb.Programme.State, pb.Call.State, pb.Application.State
UNIT, OTHER_UNIT, THIRD_UNIT = "91110000710926094P", "914403001922038216", "91330100799655058B"
PLATFORM, BREAKTHROUGH = "platforms/songshan", "breakthroughs/solid-battery"
PROGRAMME_NAME, CALL_NAME = "programmes/special", "calls/batteries"
YEAR = TODAY.year
NAME = "applications/a1"
NOTICE_END = TODAY + ONE_DAY * 7  # five working days after a Monday
FEN = 100_000_00  # fen: what an application asks for where a test does not say

LIFECYCLES: dict[str, Lifecycle] = {
    "programmes": PROGRAMME,
    "calls": CALL,
    "applications": APPLICATION,
    "sanctions": SANCTION,
}
CALLERS = {
    role: Caller(f"accounts/{role}", department, frozenset({role}))
    for role, department in {
        Role.APPLICANT: UNIT,
        Role.RECOMMENDER: "410100",
        Role.CASE_OFFICER: "DST",
        Role.EXPERT_REVIEWER: "DST",
        Role.APPROVER: "DST",
        Role.FINANCE_OFFICER: "DST",
        Role.SYSTEM: "",
    }.items()
}


def small_pack(**sections: Any) -> Pack:
    """Return a pack with what the funding rules ask for, and nothing in its other sections."""
    named: dict[str, Any] = {"source": "d", "zh": "某", "en": "some"}
    rule: dict[str, Any] = {**named, "unit": "days"}
    said: dict[str, Any] = {
        "funding_sources": (
            FundingSource(id="provincial", level="provincial", **named),
            FundingSource(id="national", level="national", **named),
        ),
        "departments": [Department(id=d, short_zh=d, **named) for d in ("DST", "FINANCE", "DIIT")],
        "reporting_units": [ReportingUnit(id="410100", zh="郑州市", en="Zhengzhou", source="d")],
        "programmes": (
            Programme(
                id="special",
                code="SP",
                lead="DST",
                joint=("FINANCE", "DST"),
                funding_source="provincial",
                notice="five",
                **named,
            ),
        ),
        "notices": (Notice(id="five", days=5, unit="working_days", **named),),
        "rules": (
            Rule(id="completion-working-days", value=5, **rule),
            Rule(id="payment-record-working-days", value=5, **rule),
        ),
        "eligibility": load(ROOT / "packs" / "henan").eligibility,
        "review_rules": (
            ReviewRule(
                id="default",
                due_working_days=5,
                deemed_consent=True,
                escalation_working_days=2,
                **named,
            ),
        ),
        **sections,
    }
    registers: dict[str, Any] = {
        f.name: Register((f.name, f.name), said.get(f.name, ()))
        for f in fields(Pack)
        if "Register" in str(f.type)
    }
    own: dict[str, Any] = {"id": "p", "zh": "省", "en": "a province", "version": "0"}
    return Pack(division="410000", abbreviation="豫", divisions={}, **own, **registers)


def day(offset: int) -> Any:
    """Return the day so many days after the first, as the wire has it."""
    return from_date(TODAY + ONE_DAY * offset)


def programme(**more: Any) -> pb.Programme:
    """Return an active programme with 10 million yuan for the year."""
    said: dict[str, Any] = {
        "name": PROGRAMME_NAME,
        "title": "重大专项",
        "policy": "special",
        "funding_source": "provincial",
        "lead_department": "DST",
        "state": P.STATE_ACTIVE,
        "author": "accounts/somebody",
        "ceilings": [pb.Ceiling(year=YEAR, ceiling_fen=1_000_000_000)],
    }
    return pb.Programme(**{**said, **more})


def call(**more: Any) -> pb.Call:
    """Return a published call that is open for thirty more days."""
    said: dict[str, Any] = {
        "name": CALL_NAME,
        "programme": PROGRAMME_NAME,
        "title": "固态电池",
        "lead_department": "DST",
        "year": YEAR,
        "open_date": day(-10),
        "close_date": day(30),
        "state": C.STATE_PUBLISHED,
        "author": "accounts/somebody",
    }
    return pb.Call(**{**said, **more})


def unit(code: str = OTHER_UNIT, name: str = "某公司") -> pb.Unit:
    return pb.Unit(name=name, code=code)


def application(number: int = 1, fen: int = FEN, **more: Any) -> pb.Application:
    """Return a draft with all that a submission asks for; every number is another person's."""
    said: dict[str, Any] = {
        "name": f"applications/a{number}",
        "call": CALL_NAME,
        "programme": PROGRAMME_NAME,
        "year": YEAR,
        "lead_department": "DST",
        "title": "电解质界面研究",
        "abstract": "简介",
        "applicant_unit": unit(UNIT, "某大学"),
        "owner_unit": UNIT,
        "author": CALLERS[Role.APPLICANT].actor,
        "principal_investigator": Person(name="pc1:x", subject=f"ps1-{number}"),
        "recommending_unit": "410100",
        "start_date": day(60),
        "end_date": day(800),
        "requested_fen": fen,
        "budget": [pb.BudgetLine(category="设备费", amount_fen=fen)],
        "currency": "CNY",
        "state": A.STATE_DRAFT,
    }
    return pb.Application(**{**said, **more})


WHY = {"document_number": "豫科〔2026〕1号", "reason": "依据会议纪要"}
SAID: dict[str, dict[str, Any]] = {
    "publish": {"document_number": "豫科〔2026〕1号"},
    "extend": {"close_date": day(40)},
    "set_ceiling": {"year": YEAR, "ceiling_fen": 1_000_000_000},
    "check_form": {"result": pb.CHECK_RESULT_PASSED},
    "check_duplicates": {"result": pb.DUPLICATE_RESULT_CLEAR, "findings": "无"},
    "record_expert_review": {"score_hundredths": 8750, "opinion": "同意", "recommended": True},
    "conclude_joint_review": {
        "review": "reviews/r1",
        "outcome": pb.JOINT_REVIEW_OUTCOME_AGREED,
    },
    "record_objection": {"text": "异议"},
    "resolve_objection": {"number": 1, "resolution": "不成立"},
    "approve": {"document_number": "豫科〔2026〕2号", "approved_fen": FEN},
    "sign_contract": {
        "number": "R-1",
        "tasks": "研究",
        "instalments": [
            pb.Instalment(number=1, amount_fen=FEN - FEN // 4),
            pb.Instalment(number=2, amount_fen=FEN // 4),
        ],
    },
    "pay_instalment": {"number": 1, "amount_fen": FEN - FEN // 4, "voucher": "V-1"},
    "record_mid_term": {"result": pb.MID_TERM_RESULT_ON_TRACK, "findings": "正常"},
    "change_person": {"principal_investigator": Person(name="李四")},
    "change_unit": {"unit": unit()},
    "change_end_date": {"end_date": day(900)},
    "change_budget": {"budget": [pb.BudgetLine(category="材料费", amount_fen=FEN)]},
    "submit_for_acceptance": {"report": "已完成"},
    "conclude_acceptance": {"result": pb.CHECK_RESULT_PASSED},
    "ask_again": {"reason": "已与财政厅会商"},
    "evaluate": {"grade": "优秀"},
    "recover": {"amount_fen": 1, "voucher": "R-1"},
}


def request(noun: str, action: str, **said: Any) -> Any:
    """Return an action's request: what it must say, and what the test says."""
    message = getattr(pb, "".join(w.capitalize() for w in action.split("_")) + noun + "Request")
    known = message.DESCRIPTOR.fields_by_name
    why = {key: value for key, value in WHY.items() if key in known}
    return message(**{**why, **SAID.get(action, {}), **said})


PATH = (
    "submit",
    "recommend",
    "accept",
    "check_form",
    "check_duplicates",
    "record_expert_review",
    "open_joint_review",
    "conclude_joint_review",
    "publish_notice",
    "approve",
    "sign_contract",
    "pay_instalment",
    "submit_for_acceptance",
    "conclude_acceptance",
    "evaluate",
    "close",
)
"""From the draft to the end, without detours."""


@dataclass
class World:
    """Records that are kept as the kernel keeps them: all that a decision changes, or nothing of it."""

    today: datetime.date = TODAY
    pack: Pack = field(default_factory=small_pack)
    records: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def put(self, *records: Any) -> "World":
        self.records.update((record.name, record) for record in records)
        return self

    def case(self, caller: Caller | None = None, **more: Any) -> FakeCase:
        known = {n: Reference(n, "STATE_OPERATING", "名") for n in (PLATFORM, BREAKTHROUGH)}
        said: dict[str, Any] = {
            "records": self.records,
            "numbers": dict(self.numbers),
            "references": known,
            "today": self.today,
            "pack": self.pack,
            "caller": caller or CALLERS[Role.CASE_OFFICER],
        }
        return FakeCase(**{**said, **more})

    def do(self, name: str, action: str, caller: Caller | None = None, **said: Any) -> Any:
        """Act as the table's first role, or as the caller. Raises DomainError: nothing changed."""
        lifecycle, record = LIFECYCLES[name.partition("/")[0]], self.records[name]
        move = lifecycle.line(record.state, action)
        caller = caller or CALLERS[move.by[0]]
        demand(caller, move, standing_of(record, lifecycle))
        case, new = self.case(caller), copied(record)
        case.deciding = name
        if action == "conclude_joint_review":  # of what was asked last, where a test does not say
            said = {"basis_revision": record.joint_review.asked_revision, **said}
        command = request(type(record).__name__, action, **said)
        new.state = lifecycle.target(move, move.action(new, command, case))
        new.revision += 1
        self.records.update({name: new, **case.changed})
        self.numbers = case.numbers
        return new

    def walk(self, name: str, last: str) -> Any:
        """Lead an application from the draft through `last`; days pass for the notice."""
        record = self.records[name]
        for action in PATH[: PATH.index(last) + 1]:
            if action == "approve":
                self.today += ONE_DAY * 8
            record = self.do(name, action)
        return record


def world(**more: Any) -> World:
    """Return a world with one programme, one call and one application, a draft."""
    return World(**more).put(programme(), call(), application())


def refused(kind: type[DomainError], code: str) -> Any:
    """Expect a refusal with a stable code and a text in both languages."""

    def says(error: Any) -> bool:
        return error.code == code and bool(error.en) and bool(error.zh)

    return pytest.raises(kind, check=says)


def path_of(action: str) -> str:
    """Return the step before, on the straight path."""
    return PATH[PATH.index(action) - 1]


def noticed(*more: Any, **changes: Any) -> World:
    """Return a world in which the notices of its applications are over."""
    there = world(**changes).put(*more)
    names = [name for name in there.records if name.startswith("applications/")]
    for name in names:
        there.walk(name, "publish_notice")
    there.today = NOTICE_END + ONE_DAY
    return there


def plan(*amounts: int) -> list[pb.Instalment]:
    return [pb.Instalment(number=n, amount_fen=fen) for n, fen in enumerate(amounts, 1)]


def contracted() -> World:
    there = world()
    there.walk(NAME, "sign_contract")
    return there


def started() -> World:
    """Return a world in which the application is under way, so that it may be changed."""
    there = contracted()
    there.do(NAME, "start")
    return there
