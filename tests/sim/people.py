"""Who acts in the scenarios, and the records that they enter."""

import datetime
from typing import Any

from kernel.case import Caller, Role
from kernel.dates import from_date
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from tests.sim.script import MORNING

UNIT = "91110000710926094P"


def caller(actor: str, department: str, *roles: Role) -> Caller:
    return Caller(f"accounts/{actor}", department, frozenset(roles))


APPLICANT = caller("zhang", UNIT, Role.APPLICANT)
STRANGER = caller("chen", "91410100770000000X", Role.APPLICANT)
IMPORTER = caller("sun", "DST", Role.IMPORTER)
OFFICER = caller("li", "DST", Role.CASE_OFFICER)
APPROVER = caller("zhao", "DST", Role.APPROVER)
CITY = caller("wu", "410100", Role.RECOMMENDER)
BOTH = caller("sun", "DST", Role.IMPORTER, Role.APPROVER)
"""Who imported a record and would approve it as well."""
DIIT = caller("wang", "DIIT", Role.CASE_OFFICER)
DIIT_APPROVER = caller("liu", "DIIT", Role.APPROVER)
DIIT_MONEY = caller("qian", "DIIT", Role.FINANCE_OFFICER)
DIIT_IMPORTER = caller("he", "DIIT", Role.IMPORTER)
ASKED = {d: caller(d.lower(), d, Role.CASE_OFFICER) for d in ("DRC", "DST", "FINANCE")}

TODAY = MORNING.date()
P, A = platforms.Platform.State, funding.Application.State
AWARD, CEILING = 33_333_34, 80_000_00  # fen: two awards fit, and a float would lose one fen


def day(offset: int) -> Any:
    """Return the day so many days after the first."""
    return from_date(TODAY + datetime.timedelta(offset))


def platform(title: str = "嵩山实验室", **more: Any) -> platforms.Platform:
    said: dict[str, Any] = {
        "kind": "provincial-laboratory",
        "division": "410100",
        "supporting_unit_name": "某大学",
        "supporting_unit_code": UNIT,
        "recommending_unit": "410100",
        "direction": "new-materials",
        "abstract": "简介",
        "contact": Person(name="欧阳锦绣", phone="0371-65708888"),
    }
    return platforms.Platform(title=title, **{**said, **more})


def platform_rows(first: int, last: int, **more: Any) -> list[Any]:
    """Rows of an old register, the same every time; `lab-1` is the record of line 1."""
    row = platforms.ImportPlatformsRequest.Row
    return [
        row(line=n, key=f"row-{n}", platform_id=f"lab-{n}", effective_date=day(-40), platform=said)
        for n in range(first, last + 1)
        for said in (
            platform(f"实验室 {n}", lead_department="DST", state=P.STATE_OPERATING, **more),
        )
    ]


def breakthrough(**more: Any) -> technologies.Breakthrough:
    return technologies.Breakthrough(title="固态电池", lead_department="DST", **more)


def breakthrough_row() -> Any:
    """Work that is under way already."""
    state = technologies.Breakthrough.State.STATE_IN_PROGRESS
    return technologies.ImportBreakthroughsRequest.Row(
        line=1,
        key="t-1",
        breakthrough_id="t1",
        effective_date=day(-5),
        breakthrough=breakthrough(state=state),
    )


def programme(policy: str, ceiling: int = CEILING) -> funding.Programme:
    ceilings = [funding.Ceiling(year=TODAY.year, ceiling_fen=ceiling)]
    return funding.Programme(title="专项", policy=policy, ceilings=ceilings)


def call_for(name: str) -> funding.Call:
    return funding.Call(
        title="固态电池",
        programme=name,
        year=TODAY.year,
        open_date=day(0),
        close_date=day(90),
    )


def application_row(number: int, state: Any, lead: str, call: str, programme: str) -> Any:
    """An application that is on its way already, as an import brings it in."""
    notice = funding.PublicNotice(start_date=day(-20), end_date=day(-10))
    application = funding.Application(
        call=call,
        programme=programme,
        year=TODAY.year,
        title=f"电解质界面研究 {number}",
        lead_department=lead,
        applicant_unit=funding.Unit(name="某大学", code=UNIT),
        principal_investigator=Person(name="欧阳", identity_number=f"41010219900307000{number}"),
        recommending_unit="410100",
        requested_fen=AWARD,
        currency="CNY",
        start_date=day(60),
        end_date=day(800),
        state=state,
        public_notice=notice,
    )
    return funding.ImportApplicationsRequest.Row(
        line=number,
        key=f"a-{number}",
        application_id=f"a{number}",
        effective_date=day(-5),
        application=application,
    )
