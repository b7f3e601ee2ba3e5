"""The printed pages say what the code and the contract say."""

import json
import re

import pytest

from app.catalogue import REGISTRIES
from app.docs import contract, lifecycles, tables, text
from app.settings import ROOT


@pytest.fixture(scope="module")
def told() -> contract.Contract:
    return contract.read(ROOT / "proto")


def test_no_rpc_goes_without_a_comment(told: contract.Contract) -> None:
    names = [
        f"{file.package}.{service.name}.{method.name}"
        for file in told.files
        for service in file.service
        for method in service.method
    ]
    assert names
    assert [name for name in names if not told.comment(name)] == []


def test_every_move_stands_in_the_printed_lifecycles(told: contract.Contract) -> None:
    page = lifecycles.page(told)
    for service in REGISTRIES:
        for resource in service.resources:
            _, section = page.split(f"\n## {resource.noun}\n")
            section = section.split("\n## ")[0]
            for move in resource.lifecycle.moves:
                assert f"| `{move.name}` |" in section, (resource.noun, move.name)


def test_every_state_has_a_meaning(told: contract.Contract) -> None:
    assert re.findall(r"^\| `[A-Z_]+` \|  \|", lifecycles.page(told), re.MULTILINE) == []


def test_a_counter_is_printed_under_the_name_that_prometheus_sees() -> None:
    assert "`grpc_server_handled_total`" in tables.metrics()


def test_a_cell_cannot_break_its_table() -> None:
    assert (
        text.table(("a", "b"), [("x|y", "<dir>\nz")]).splitlines()[-1] == "| x\\|y | &lt;dir> z |"
    )


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert sorted(numbers) == sorted(set(numbers))


def test_the_service_config_of_the_clients_is_the_one_that_is_printed() -> None:
    stands = (ROOT / "examples" / "clients" / "service_config.json").read_text("utf-8")
    printed = (ROOT / "docs" / "clients.md").read_text("utf-8").split("```json\n")[1]
    assert json.loads(printed.split("```")[0]) == json.loads(stands)
