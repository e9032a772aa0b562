"""Alert rules, dashboard and runbook only name metrics, sections and commands that exist."""

import json
import re

import pytest
import yaml
from django.core.management import get_commands
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # files, and names of metrics

RUNBOOK = (ROOT / "docs/runbook.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy/grafana/chat.json").read_text())
SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panel_queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\bchat_\w+", expression))


@pytest.fixture(scope="module")
def families(server: ChatServer) -> set[str]:
    with server.http() as http:
        page = http.get("/metrics").text
    return {family.name for family in text_string_to_metric_families(page)}


def test_metrics_when_named_by_a_rule_or_panel_then_they_exist(families: set[str]) -> None:
    there = {family + suffix for family in families for suffix in SUFFIXES}
    for expression in [*panel_queries(), *(rule["expr"] for rule in rules())]:
        names = names_in(expression)
        assert names <= there, expression
        assert names or "up{" in expression
        assert expression.count("(") == expression.count(")")


def test_metrics_when_they_exist_then_are_on_the_dashboard(families: set[str]) -> None:
    shown = {name for expression in panel_queries() for name in names_in(expression)}
    for family in families:
        if family.startswith("chat_") and not family.endswith("_created"):
            assert any(family + suffix in shown for suffix in SUFFIXES), family


def test_alerts_when_they_fire_then_the_runbook_has_a_section() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOK, re.M)
    assert sections == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_commands_when_named_by_the_runbook_then_they_exist() -> None:
    named = set(re.findall(r"manage\.py\s+([a-z_]+)", RUNBOOK))
    assert {"archive_messages", "backup_database", "check_integrity"} <= named <= set(get_commands())
