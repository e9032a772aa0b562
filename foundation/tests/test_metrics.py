"""Metrics that every part of the server counts."""

import pytest

from foundation import metrics

pytestmark = pytest.mark.once  # numbers


def test_fast_seconds_then_are_growing_bounds_of_a_histogram() -> None:
    assert list(metrics.FAST_SECONDS) == sorted(set(metrics.FAST_SECONDS))


def test_limited_then_keeps_the_name_that_dashboards_know() -> None:
    (family,) = metrics.LIMITED.collect()
    assert family.name == "chat_rate_limited"
    assert {*family.samples[0].labels} == {"scope"}
