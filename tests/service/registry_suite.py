"""What the one suite of all registries needs to know of each resource: records, callers, a first step."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.dates import from_date
from kernel.registry import Resource, Service
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import Person
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.funding.store import FUNDING
from services.platforms.store import PLATFORMS
from services.technologies.store import TECHNOLOGIES
from tests.running import MORNING, Running, Who, request

UNIT, OTHER_UNIT = "91110000710926094P", "914403001922038216"
TODAY = MORNING.date()
YEAR = TODAY.year

APPLICANT = Who("wang", UNIT, ("applicant",))
NEIGHBOUR = Who("ma", OTHER_UNIT, ("applicant",))
OFFICER = Who("li", "DST", ("case_officer",))
APPROVER = Who("zhao", "DST", ("approver",))
STRANGER = Who("chen", "DIIT", ("case_officer", "approver"))
AUDITOR = Who("qian", "AUDIT", ("auditor",))
PROGRAMME, CALL = "programmes/suite", "calls/suite"

NAME, PHONE, NUMBER = "欧阳锦绣", "0371-65708888", "410102199003077777"
PERSON = Person(name=NAME, phone=PHONE, identity_number=NUMBER)


@dataclass(frozen=True)
class Sample:
    """One resource. `draft`: what Create takes; `first`, `forbidden`: (action, caller, own fields) in the initial state.

    `person`: the field with personal data; empty where there is none.
    """

    service: Service
    resource: Resource
    author: Who
    draft: Callable[[], Any]
    first: tuple[str, Who, Mapping[str, Any]]
    forbidden: tuple[str, Who, Mapping[str, Any]]
    person: str = ""

    def __str__(self) -> str:
        return self.noun

    @property
    def noun(self) -> str:
        return self.resource.noun

    @property
    def singular(self) -> str:
        return self.resource.singular

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def collection(self) -> str:
        return self.resource.collection

    @property
    def importer(self) -> Who:
        """One of the author's own unit, so that the author may go on with what was imported."""
        return Who("sun", self.author.department, ("importer",))

    def rpc(self, action: str) -> str:
        return "".join(word.title() for word in action.split("_")) + self.noun

    def record(self, **said: Any) -> Any:
        record = self.draft()
        for name, value in said.items():
            record.ClearField(name)
            record.MergeFrom(type(record)(**{name: value}))
        return record

    def history(self, **said: Any) -> Any:
        """Return a record as a historical row has it: a draft, where a test does not say."""
        return self.record(**{"state": 1, "lead_department": "DST", **said})

    # What a test does over and over.

    def create(
        self, running: Running, who: Who | None = None, *, title: str = "", **said: Any
    ) -> Any:
        record = self.record(title=title or f"{self.noun} {uuid.uuid4().hex}")
        return running.call(
            f"Create{self.noun}", who or self.author, **{self.singular: record}, **said
        )

    def act(self, running: Running, record: Any, **said: Any) -> Any:
        """Take the first step."""
        action, who, own = self.first
        return running.call(self.rpc(action), who, name=record.name, **{**own, **said})

    def retitle(self, running: Running, record: Any, title: str, **said: Any) -> Any:
        given = self.resource.record(name=record.name, title=title, etag=said.pop("etag", ""))
        said = {"update_mask": {"paths": ["title"]}, **said}
        return running.call(f"Update{self.noun}", self.author, **{self.singular: given}, **said)

    def get(self, running: Running, name: str, who: Who | None = None, **said: Any) -> Any:
        return running.call(f"Get{self.noun}", who or self.author, name=name, **said)

    def page(self, running: Running, who: Who = AUDITOR, **said: Any) -> Any:
        return running.call(f"List{self.plural}", who, **said)

    def listed(self, answer: Any) -> list[Any]:
        return list(getattr(answer, self.collection))

    def row(self, key: str, record: Any = None, day: Any = None, **said: Any) -> dict[str, Any]:
        """Return a historical row: a draft of 2020, where a test does not say."""
        record = self.history() if record is None else record
        day = from_date(day or TODAY.replace(year=2020))
        return {"key": key, "line": 1, "effective_date": day, self.singular: record, **said}

    def enter(self, running: Running, *rows: dict[str, Any], **said: Any) -> list[Any]:
        """Import rows with one message, and return one result a row."""
        message = self.rows(*rows, **said)
        (answer,) = running.feed(f"Import{self.plural}", self.importer, [message])
        return list(answer.results)

    def rows(self, *rows: dict[str, Any], **said: Any) -> Any:
        return request(f"Import{self.plural}", **{"source": "suite", "rows": rows, **said})


def a_platform() -> platforms.Platform:
    return platforms.Platform(
        title="嵩山实验室", kind="provincial-laboratory", level=platforms.LEVEL_PROVINCIAL, division="410100",
        direction="new-materials", abstract="新材料", supporting_unit_code=UNIT, supporting_unit_name="某大学",
        recommending_unit="410100", contact=PERSON,
    )  # fmt: skip


def a_breakthrough() -> technologies.Breakthrough:
    return technologies.Breakthrough(
        title="超临界锅炉", lead_department="DST", direction="high-end-equipment", baseline_level=3,
        target_level=6, planned_end_date=from_date(TODAY.replace(year=YEAR + 1)), leader=PERSON,
    )  # fmt: skip


def a_programme() -> funding.Programme:
    ceiling = funding.Ceiling(year=YEAR, ceiling_fen=1_000_000_000)
    return funding.Programme(
        title="重大专项", funding_source="provincial-plans", ceilings=[ceiling], kinds=["攻关"]
    )


def a_call() -> funding.Call:
    return funding.Call(
        title="固态电池", programme=PROGRAMME, year=YEAR, open_date=from_date(TODAY),
        close_date=from_date(TODAY.replace(month=6)), topics=["电池"],
    )  # fmt: skip


def an_application() -> funding.Application:
    return funding.Application(
        title="固态电池研制", call=CALL, abstract="电池", recommending_unit="410100",
        applicant_unit=funding.Unit(name="某公司", code=UNIT), principal_investigator=PERSON,
        requested_fen=100_00, budget=[funding.BudgetLine(category="设备费", amount_fen=100_00)],
        start_date=from_date(TODAY), end_date=from_date(TODAY.replace(year=YEAR + 2)),
    )  # fmt: skip


WHY = {"reason": "理由"}
PROGRAMMES, CALLS, APPLICATIONS = FUNDING.resources[:3]
PLATFORM = Sample(
    PLATFORMS,
    PLATFORMS.resources[0],
    APPLICANT,
    a_platform,
    first=("submit", APPLICANT, {}),
    forbidden=("accept", OFFICER, {}),
    person="contact",
)
BREAKTHROUGH = Sample(
    TECHNOLOGIES,
    TECHNOLOGIES.resources[0],
    APPLICANT,
    a_breakthrough,
    first=("propose", APPLICANT, {}),
    forbidden=("return_to_proposer", OFFICER, WHY),
    person="leader",
)
A_PROGRAMME = Sample(
    FUNDING,
    PROGRAMMES,
    OFFICER,
    a_programme,
    first=("activate", APPROVER, {}),
    forbidden=("suspend", APPROVER, WHY),
)
A_CALL = Sample(
    FUNDING,
    CALLS,
    OFFICER,
    a_call,
    first=("publish", OFFICER, {"document_number": "豫科〔2026〕1号"}),
    forbidden=("close", OFFICER, {}),
)
APPLICATION = Sample(
    FUNDING,
    APPLICATIONS,
    APPLICANT,
    an_application,
    first=("submit", APPLICANT, {}),
    forbidden=("accept", OFFICER, {}),
    person="principal_investigator",
)
SAMPLES = (PLATFORM, BREAKTHROUGH, A_PROGRAMME, A_CALL, APPLICATION)
PERSONAL = tuple(sample for sample in SAMPLES if sample.person)


def furnish(running: Running) -> None:
    """Make what calls and applications hang on: an active programme, a published call."""
    A_PROGRAMME.create(running, programme_id="suite")
    running.call("ActivateProgramme", APPROVER, name=PROGRAMME)
    A_CALL.create(running, call_id="suite")
    running.call("PublishCall", OFFICER, name=CALL, document_number="豫科〔2026〕1号")
