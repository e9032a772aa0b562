"""The declarations of rate limits."""

import pytest
from prometheus_client import REGISTRY

from foundation.limits.declaration import NamedLimit
from foundation.limits.named import LIMITS
from foundation.limits.rates import Rate

pytestmark = pytest.mark.once  # declarations


def test_limits_when_declared_then_no_two_share_what_must_be_unique() -> None:
    for field in ("name", "variable", "counts"):
        values = [getattr(limit, field) for limit in LIMITS]
        assert len(set(values)) == len(values), field
    ready_fields = [limit.ready_field for limit in LIMITS if limit.ready_field]
    assert len(set(ready_fields)) == len(ready_fields)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_limit_when_declared_then_its_default_is_a_rate(limit: NamedLimit) -> None:
    assert Rate.parse(limit.default)
    assert limit.variable.startswith("LIMIT_")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_metric_when_nothing_was_refused_then_has_the_series_of_the_limit(limit: NamedLimit) -> None:
    from foundation import metrics

    assert metrics.LIMITED
    assert REGISTRY.get_sample_value("chat_rate_limited_total", {"scope": limit.scope}) is not None


def test_scope_when_read_then_is_the_label_of_dashboards() -> None:
    assert {limit.scope for limit in LIMITS} >= {
        "messages", "frames", "rest-user", "rest-anon", "login-ip", "login-account", "signup-ip",
    }  # fmt: skip
