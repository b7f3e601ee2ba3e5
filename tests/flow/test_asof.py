"""As of: the real history of research organisations, read as it was true and as it was known."""

import csv
import datetime
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from app.importing import readers
from app.importing.batches import Compiler
from app.importing.mapping import load
from kernel.dates import from_date
from luoshu.client.contract import kinds
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.store import PLATFORMS
from tests import invariants
from tests.flow.province import AUDITOR, IMPORTER
from tests.flow.separate import ROOT, Separate, addresses

EXAMPLES = ROOT / "examples"
VERSIONS = EXAMPLES / "data" / "ror_cn_versions.jsonl"
DEPARTMENT, ACADEMY = "platforms/ror-058p20n09", "platforms/ror-02drdmm93"
NOON = datetime.time(4, tzinfo=datetime.UTC)  # in Zhengzhou


class Register:
    """A service into which the whole file was entered. `before`: a moment before that."""

    def __init__(self, service: Separate) -> None:
        self.service = service
        self.before = stamp(datetime.datetime.now(datetime.UTC))
        mapping = load(EXAMPLES / "mappings" / "ror.yaml")
        compiler, refusals = Compiler(kinds()["platforms"], mapping), list[Any]()
        rows = compiler.rows(readers.read(VERSIONS, readers.Form(mapping.format)), refusals.append)
        sent = compiler.batches(rows, validate_only=False)
        answers = service.feed("ImportPlatforms", IMPORTER, sent)
        self.results = [result for answer in answers for result in answer.results]
        self.refusals = refusals

    def get(self, name: str, **said: Any) -> pb.Platform:
        found: pb.Platform = self.service.call("GetPlatform", AUDITOR, name=name, **said)
        return found

    def title(self, name: str, day: str) -> str:
        return self.get(name, valid_time=noon(day)).title

    def titles(self, **said: Any) -> dict[str, str]:
        """Return name → title of a whole list."""
        found, token = dict[str, str](), ""
        while True:
            said |= {"page_size": 100, "page_token": token}
            page = self.service.call("ListPlatforms", AUDITOR, **said)
            found |= {record.name: record.title for record in page.platforms}
            if not (token := page.next_page_token):
                return found


def stamp(moment: datetime.datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def noon(day: str) -> Timestamp:
    return stamp(datetime.datetime.combine(datetime.date.fromisoformat(day), NOON))


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Register]:
    folder = tmp_path_factory.mktemp("asof")
    with Separate(("platforms",), folder, addresses(["platforms"])) as service:
        yield Register(service)


def names_of(version: dict[str, Any]) -> list[str]:
    """An organisation's names as the two schemas have them: Chinese first, then the one that ROR shows."""
    if "labels" in version:
        return [n["label"] for n in version["labels"] if n["iso639"] == "zh"] + [version["name"]]
    chinese = [n["value"] for n in version["names"] if n.get("lang") == "zh"]
    return chinese + [n["value"] for n in version["names"] if "ror_display" in n["types"]]


def told(day: str) -> dict[str, str]:
    """Return name → title on a day, folded from the file without the product's code."""
    with (EXAMPLES / "data" / "ror_releases.csv").open(encoding="utf-8") as file:
        released = {row["release"]: row["date"] for row in csv.DictReader(file)}
    versions = [json.loads(line) for line in VERSIONS.read_text("utf-8").splitlines()]
    dated = defaultdict[str, list[dict[str, Any]]](list)
    for version in versions:
        at = released.get(version["release"]) or version["record"]["admin"]["last_modified"]["date"]
        dated[at].append(version["record"])
    return {
        f"platforms/ror-{record['id'].rsplit('/', 1)[1].lower()}": names_of(record)[0]
        for at in sorted(dated)
        if at <= day
        for record in dated[at]
    }


def test_the_whole_history_is_entered(register: Register) -> None:
    assert register.refusals == []
    outcomes = {result.outcome for result in register.results}
    assert outcomes == {journal_pb2.IMPORT_OUTCOME_ENTERED}
    assert len(register.results) == len(VERSIONS.read_bytes().splitlines())
    invariants.demand_sound(register.service.database(), PLATFORMS)


@pytest.mark.parametrize(
    ("name", "day", "title"),
    [
        (DEPARTMENT, "2023-03-16", "Henan Science and Technology Department"),
        (DEPARTMENT, "2025-05-04", "Henan Science and Technology Department"),
        (DEPARTMENT, "2025-05-05", "河南省科学技术厅"),
        (ACADEMY, "2024-03-13", "中国医学科学院北京协和医学院"),
        (ACADEMY, "2025-07-14", "中国医学科学院北京协和医学院"),
        (ACADEMY, "2025-07-15", "中国医学科学院"),
    ],
)
def test_between_two_versions_an_organisation_has_its_older_name(
    register: Register, name: str, day: str, title: str
) -> None:
    assert register.title(name, day) == title


def test_before_its_first_version_an_organisation_is_not_found(register: Register) -> None:
    assert code(register, valid_time=noon("2023-03-15")) is grpc.StatusCode.NOT_FOUND


def test_before_the_import_nothing_was_known(register: Register) -> None:
    assert code(register, read_time=register.before) is grpc.StatusCode.NOT_FOUND
    moments = {"read_time": register.before, "valid_time": noon("2025-12-31")}
    assert code(register, **moments) is grpc.StatusCode.NOT_FOUND
    assert register.titles(read_time=register.before) == {}


def code(register: Register, **said: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        register.get(DEPARTMENT, **said)
    found: grpc.StatusCode = refused.value.code()
    return found


@pytest.mark.parametrize(
    "day", ["2022-06-15", "2022-12-31", "2024-02-08", "2025-05-04", "2026-06-02"]
)
def test_a_list_of_a_day_is_the_file_folded_up_to_that_day(register: Register, day: str) -> None:
    assert register.titles(valid_time=noon(day)) == told(day)


def test_a_version_that_comes_late_changes_what_is_true_and_not_what_was_known(
    register: Register,
) -> None:
    newest = register.get(DEPARTMENT)
    then = newest.update_time
    late = pb.Platform()
    late.CopyFrom(register.get(DEPARTMENT, valid_time=noon("2024-06-01")))
    late.title = "河南省科学技术厅（补录）"
    row = pb.ImportPlatformsRequest.Row(key="late", platform_id="ror-058p20n09", platform=late)
    row.effective_date.CopyFrom(from_date(datetime.date(2024, 1, 1)))
    message = pb.ImportPlatformsRequest(source="ror", rows=[row])
    (answer,) = register.service.feed("ImportPlatforms", IMPORTER, [message])
    assert answer.results[0].outcome == journal_pb2.IMPORT_OUTCOME_ENTERED
    assert register.title(DEPARTMENT, "2024-06-01") == late.title
    assert register.title(DEPARTMENT, "2023-12-31") == "Henan Science and Technology Department"
    assert register.get(DEPARTMENT).title == newest.title
    known = register.get(DEPARTMENT, valid_time=noon("2024-06-01"), read_time=then)
    assert known.title == "Henan Science and Technology Department"
