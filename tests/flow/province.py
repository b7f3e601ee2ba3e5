"""What the flow tests furnish a register with: rows of an old register, a programme, an application on its way."""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.serve import now
from kernel.dates import business_date, from_date
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as platforms
from tests.running import Who

UNIT = "91110000710926094P"
APPLICANT = Who("accounts/zhang", UNIT, ("applicant",))
IMPORTER = Who("accounts/importer", "DST", ("importer",))
OFFICER = Who("accounts/li", "DST", ("case_officer",))
EXPERTS = Who("accounts/zhou", "DST", ("expert_reviewer",))
APPROVER = Who("accounts/zhao", "DST", ("approver",))
CITY = Who("accounts/wu", "410100", ("recommender",))
FINANCE = Who("accounts/zheng", "FINANCE", ("case_officer",))
AUDITOR = Who("accounts/qian", "AUDIT", ("auditor",))
FEN = 100_000_00  # what an application asks for


def platform(title: str = "嵩山实验室", **more: Any) -> platforms.Platform:
    said: dict[str, Any] = {
        "kind": "provincial-laboratory",
        "division": "410100",
        "supporting_unit_code": UNIT,
    }
    return platforms.Platform(title=title, **{**said, **more})


def rows(count: int, first: int = 1) -> list[platforms.ImportPlatformsRequest.Row]:
    """Rows of an old register: the same every time, with the keys row-1, row-2, …"""
    numbers = range(first, first + count)
    row = platforms.ImportPlatformsRequest.Row
    return [row(line=n, key=f"row-{n}", platform=platform(f"实验室 {n:06}")) for n in numbers]


def messages(count: int, size: int = 500) -> Iterator[platforms.ImportPlatformsRequest]:
    """The rows as messages of an import, `size` rows each."""
    for first in range(1, count + 1, size):
        some = rows(min(size, count + 1 - first), first)
        yield platforms.ImportPlatformsRequest(source="old-register", rows=some)


def today() -> datetime.date:
    """Return the business date of a process whose clock nobody moved."""
    return business_date(now())


@dataclass(frozen=True)
class Funding:
    """A programme, its call and applications. `call`: makes an RPC of a caller; `today`: a business date."""

    call: Callable[..., Any]
    today: datetime.date

    def furnish(self) -> "Funding":
        ceiling = funding.Ceiling(year=self.today.year, ceiling_fen=1_000_000_000)
        programme = funding.Programme(
            title="重大专项", policy="major-science-special", ceilings=[ceiling]
        )
        self.call("CreateProgramme", OFFICER, programme=programme, programme_id="special")
        self.call("ActivateProgramme", APPROVER, name="programmes/special")
        call = funding.Call(title="固态电池", programme="programmes/special", year=self.today.year)
        call.open_date.CopyFrom(self.day(0))
        call.close_date.CopyFrom(self.day(90))
        self.call("CreateCall", OFFICER, call=call, call_id="batteries")
        self.call("PublishCall", OFFICER, name="calls/batteries", document_number="豫科〔2026〕1号")
        return self

    def day(self, offset: int) -> Any:
        return from_date(self.today + datetime.timedelta(offset))

    def application(self, **more: Any) -> funding.Application:
        """Return what only has to be created, and then submitted."""
        return funding.Application(
            call="calls/batteries",
            title="电解质界面研究",
            abstract="简介",
            applicant_unit=funding.Unit(name="某大学", code=UNIT),
            principal_investigator=Person(name="欧阳锦绣", identity_number="410102199003077777"),
            recommending_unit="410100",
            start_date=self.day(60),
            end_date=self.day(800),
            requested_fen=FEN,
            budget=[funding.BudgetLine(category="设备费", amount_fen=FEN)],
            **more,
        )

    def draft(self, **more: Any) -> str:
        """Return the name of an application that only has to be submitted."""
        asked = {"application": self.application(**more)}
        return str(self.call("CreateApplication", APPLICANT, **asked).name)

    def submit(self, name: str) -> Any:
        return self.call("SubmitApplication", APPLICANT, name=name)

    def open_joint_review(self, name: str) -> Any:
        """Lead a draft to the departments that have to be asked."""
        self.submit(name)
        self.call("RecommendApplication", CITY, name=name)
        self.call("AcceptApplication", OFFICER, name=name)
        passed = funding.CHECK_RESULT_PASSED
        self.call("CheckFormApplication", OFFICER, name=name, result=passed)
        clear = {"result": funding.DUPLICATE_RESULT_CLEAR, "findings": "无"}
        self.call("CheckDuplicatesApplication", OFFICER, name=name, **clear)
        good = {"score_hundredths": 8750, "opinion": "同意", "recommended": True}
        self.call("RecordExpertReviewApplication", EXPERTS, name=name, **good)
        return self.call("OpenJointReviewApplication", OFFICER, name=name)
