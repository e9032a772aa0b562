"""The metrics of sockets are those of the dashboard, so that a renamed one is noticed."""

import pytest
from prometheus_client.metrics import MetricWrapperBase

from realtime import metrics
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # names


def test_metrics_when_compared_with_the_dashboard_then_are_all_in_it() -> None:
    dashboard = (ROOT / "deploy" / "grafana" / "chat.json").read_text()
    names = {
        family.name
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    }
    assert "chat_sockets" in names
    assert {name for name in names if name not in dashboard} == set()
