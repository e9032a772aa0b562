"""Metrics that every part of the server counts."""

import pytest

from foundation import metrics

pytestmark = pytest.mark.once  # numbers


def test_fast_seconds_when_read_then_are_growing_bounds() -> None:
    assert list(metrics.FAST_SECONDS) == sorted(set(metrics.FAST_SECONDS))


def test_limited_when_collected_then_has_the_name_of_dashboards() -> None:
    (family,) = metrics.LIMITED.collect()
    assert family.name == "chat_rate_limited"
    assert {*family.samples[0].labels} == {"scope"}
