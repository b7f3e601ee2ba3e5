"""Alerts, dashboard, runbook and declared metrics belong together."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kernel.metrics import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
METRIC = re.compile(r"(?<![a-z_:])(?:luoshu|grpc_server)_[a-z_]+(?![a-z_:])")
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def load(path: str) -> Any:
    """Parse a YAML (or JSON, which is YAML) file of the checkout."""
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def rules() -> list[dict[str, Any]]:
    groups = load("deploy/prometheus/alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (ROOT / "deploy/grafana/luoshu.json").read_text("utf-8")
    )["panels"]
    return found


ALERTS = [rule for rule in rules() if "alert" in rule]
EXPRESSIONS = [rule["expr"] for rule in rules()] + [
    target["expr"] for panel in panels() for target in panel["targets"]
]


def anchors() -> set[str]:
    """Return the anchors of the runbook's sections, as Markdown renderers make them."""
    text = (ROOT / "docs/runbook.md").read_text("utf-8")
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    return {title.strip().lower().replace(" ", "-") for title in titles}


def declared() -> set[str]:
    """Return the names under which the metrics of kernel/metrics.py are scraped."""
    return {
        family.name + suffix for family in REGISTRY.collect() for suffix in SUFFIXES[family.type]
    }


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_names_a_section_of_the_runbook(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert page == "docs/runbook.md"
    assert anchor in anchors()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_speaks_english_and_chinese(alert: dict[str, Any]) -> None:
    assert alert["annotations"]["summary"].isascii()
    assert re.search("[\u4e00-\u9fff]", alert["annotations"]["summary_zh"])


def test_every_section_of_the_runbook_belongs_to_an_alert() -> None:
    assert anchors() == {alert["annotations"]["runbook"].partition("#")[2] for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_shown_firing_and_silent(alert: dict[str, Any]) -> None:
    samples = [
        bool(case["exp_samples"])
        for group in load("deploy/prometheus/alerts_test.yml")["tests"]
        for case in group["promql_expr_test"]
        if f'"{alert["alert"]}"' in case["expr"]
    ]
    assert sorted(samples) == [False, True]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_metric_that_is_watched_is_one_that_the_code_declares(expression: str) -> None:
    assert set(METRIC.findall(expression)) <= declared()


def test_the_links_within_the_runbook_lead_somewhere() -> None:
    text = (ROOT / "docs/runbook.md").read_text("utf-8")
    assert set(re.findall(r"\]\(#([a-z-]+)\)", text)) <= anchors()
