"""A small pack, a platform, and requests that are right: the platforms' tests vary one thing."""

import datetime
from collections.abc import Callable
from dataclasses import fields
from typing import Any, cast

import pytest

from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import DomainError
from kernel.pack import (
    CalendarYear,
    DaysOff,
    Department,
    Direction,
    Division,
    Grade,
    Kind,
    Notice,
    Pack,
    Register,
    ReportingUnit,
    Requirement,
    ReviewRule,
)
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.domain import LIFECYCLE
from tests.unit.fake_case import TODAY, FakeCase, acted

S = pb.Platform.State
CODE, OTHER_CODE = "91110000710926094P", "914403001922038216"
ALL_STEPS = ("recommendation", "formal_check", "expert_review", "joint_review", "public_notice")
AGREES = pb.DepartmentOpinion.VERDICT_AGREES


def day(offset: int) -> Any:
    """Return the day so many days after today, as the wire has it."""
    return from_date(TODAY + ONE_DAY * offset)


def kind(key: str, code: str, ending: str, **more: Any) -> Kind:
    said = {"source": "d", "level": "provincial", "lead": "DST", "notice": "five", **more}
    return Kind(id=key, zh=f"{key}类", en=f"a {key}", code=code, ending=cast(Any, ending), **said)


def grade(key: str, zh: str, effect: Any) -> Grade:
    return Grade(id=key, zh=zh, en=key, effect=effect)


GRADES = (
    grade("excellent", "优秀", "keep"),
    grade("warned", "警告", "rectify"),
    grade("failed", "不合格", "revoke"),
)
EQUIPMENT = Requirement(
    id="equipment_fen", zh="设备原值", en="equipment", operator=">=", value=800_000_000, unit="fen"
)
SHORT = ("construction", *ALL_STEPS)
KINDS = (
    kind("lab", "KL", "recognize", joint=("DRC", "FIN"), grades=GRADES, build_months=24),
    kind("new-institute", "NI", "put_on_file", skips=SHORT),
    kind(
        "base",
        "PB",
        "approve",
        notice="seven",
        skips=("recommendation", "formal_check", "site_visit"),
    ),
    kind("centre", "MC", "recognize", nurtured=True, skips=("recommendation", "formal_check")),
    kind("equipped", "EC", "recognize", requirements=(EQUIPMENT,)),
)


def notice(key: str, days: int, unit: Any) -> Notice:
    return Notice(id=key, zh=key, en=key, source="d", days=days, unit=unit)


def small_pack() -> Pack:
    """Return a pack with what a platform's rules ask for, and nothing in its other sections."""
    named = {"source": "d", "zh": "某", "en": "some"}
    off = DaysOff(zh="假", en="holiday", first=TODAY + ONE_DAY, last=TODAY + ONE_DAY)
    review = ReviewRule(
        id="default", due_working_days=3, deemed_consent=True, escalation_working_days=2, **named
    )
    sections: dict[str, Any] = {
        "kinds": KINDS,
        "notices": (notice("five", 5, "working_days"), notice("seven", 7, "calendar_days")),
        "departments": [Department(id=d, short_zh=d, **named) for d in ("DST", "DRC", "FIN")],
        "reporting_units": [ReportingUnit(id="410100", zh="郑州市", en="Zhengzhou", source="d")],
        "directions": [Direction(id="new-materials", group="sei", **named)],
        "review_rules": [review],
        "calendar": [CalendarYear(id="2026", source="d", days_off=(off,))],
    }
    registers = {
        f.name: Register((f.name, f.name), sections.get(f.name, ()))
        for f in fields(Pack)
        if "Register" in str(f.type)
    }
    own: dict[str, Any] = {"id": "p", "zh": "省", "en": "a province", "version": "0"}
    divisions = {"410100": Division("410100", "郑州市", "410000")}
    return Pack(division="410000", abbreviation="豫", divisions=divisions, **own, **registers)


PACK = small_pack()


def case(**more: Any) -> FakeCase:
    return FakeCase(pack=PACK, **more)


def platform(state: int = S.STATE_DRAFT, **more: Any) -> pb.Platform:
    """Return a platform with all that a submission asks for."""
    said: dict[str, Any] = {
        "name": "platforms/songshan",
        "owner_unit": "DST",
        "title": "嵩山实验室",
        "kind": "lab",
        "level": pb.LEVEL_PROVINCIAL,
        "supporting_unit_name": "某大学",
        "supporting_unit_code": CODE,
        "division": "410100",
        "direction": "new-materials",
        "sub_field": "高熵合金",
        "abstract": "简介",
        "recommending_unit": "410100",
    }
    return pb.Platform(state=cast(Any, state), **{**said, **more})


def request(action: str, **said: Any) -> Any:
    """Return an action's request: what a caller must say, and what the test says."""
    name = "".join(word.capitalize() for word in action.split("_"))
    return getattr(pb, f"{name}PlatformRequest")(**{**SAID.get(action, {}), **said})


DOCUMENT = {"document_number": "豫科〔2026〕1号"}
SAID: dict[str, dict[str, Any]] = {
    "request_completion": {"missing": ["营业执照"], "due_date": day(5)},
    "record_expert_review": {"passed": True, "opinion": "同意", "experts": 5},
    "record_site_visit": {"passed": True, "findings": "属实", "visitors_count": 3},
    "publish_notice": {"start_date": day(0), "document": "公示2026-1"},
    "record_objection": {"content": "异议"},
    "resolve_objection": {"objection_number": 1, "resolution": "核实"},
    "conclude_joint_review": {
        "opinions": [
            pb.DepartmentOpinion(department=d, verdict=cast(Any, AGREES)) for d in ("DRC", "FIN")
        ]
    },
    "nurture": {**DOCUMENT, "due_date": day(300)},
    "start_construction": {"due_date": day(700)},
    "extend_construction": {**DOCUMENT, "due_date": day(900), "reason": "疫情"},
    "evaluate": {**DOCUMENT, "round": 2026, "grade": "excellent"},
    "rename": {**DOCUMENT, "title": "中原嵩山实验室"},
    "change_supporting_unit": {**DOCUMENT, "supporting_unit": pb.Unit(name="乙", code=OTHER_CODE)},
    "classify": {"kind": "lab", "level": pb.LEVEL_PROVINCIAL},
    "upgrade": {**DOCUMENT, "level": pb.LEVEL_NATIONAL},
    "merge": {**DOCUMENT, "into": "platforms/heir"},
    "split": {**DOCUMENT, "successors": ["platforms/heir", "platforms/second"]},
    **dict.fromkeys(("recognize", "approve", "put_on_file", "pass_acceptance"), DOCUMENT),
    **{a: {**DOCUMENT, "reason": "到期"} for a in ("close", "revoke")},
    **{
        a: {"reason": "不符"}
        for a in ("withdraw", "return_to_applicant", "refuse", "fail_formal_check", "reject")
    },
}


def act(record: pb.Platform, action: str, at: FakeCase | None = None, **said: Any) -> pb.Platform:
    left = acted(LIFECYCLE, record, action, request(action, **said), at or case())
    return cast(pb.Platform, left)


def lived(*actions: str, record: pb.Platform | None = None, **kinds: Any) -> pb.Platform:
    """Return a platform that went through the actions, all today but for the end of its notice."""
    record = record or platform(**kinds)
    for action in actions:
        over = record.public_notice.end_date
        late = case(today=(to_date(over) or TODAY) + ONE_DAY) if action in ENDINGS else case()
        record = act(record, action, late)
    return record


ENDINGS = ("recognize", "approve", "put_on_file", "nurture")
TO_REVIEW = ("submit", "recommend", "accept", "pass_formal_check", "record_expert_review")
TO_NOTICE = (*TO_REVIEW, "open_joint_review", "conclude_joint_review", "publish_notice")
REVIEWED = ("record_expert_review", "publish_notice")
OPERATING = (*TO_NOTICE, "recognize", "start_construction", "pass_acceptance")
AFTERWARDS = datetime.date(2026, 6, 1)


def operating(**more: Any) -> pb.Platform:
    return lived(*OPERATING, **more)


def heirs() -> FakeCase:
    heir = platform(S.STATE_OPERATING, name="platforms/heir")
    second = platform(S.STATE_RECOGNIZED, name="platforms/second")
    return case(records={heir.name: heir, second.name: second})


def refusal(what: Callable[[], object]) -> DomainError:
    """Return the refusal, which says what is wrong and what would work, in both languages."""
    with pytest.raises(DomainError) as caught:
        what()
    error = caught.value
    assert "; " in error.en or ": " in error.en
    assert any("\u4e00" <= sign <= "\u9fff" for sign in error.zh)
    return error


def opinions(*said: tuple[str, int]) -> list[pb.DepartmentOpinion]:
    return [pb.DepartmentOpinion(department=d, verdict=cast(Any, v), opinion=d) for d, v in said]
