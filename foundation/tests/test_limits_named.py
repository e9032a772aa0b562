"""The declarations of rate limits, and what is derived from them."""

import dataclasses
from typing import Any

import pytest
from prometheus_client import REGISTRY

from foundation.limits.named import FRAMES, LIMITS, MESSAGES_ROOM, MESSAGES_USER, Count, NamedLimit
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


def test_of_when_limits_are_on_then_names_scope_key_and_configured_rate(settings: Any) -> None:
    settings.RATE_LIMITS = True
    settings.RATES = {**settings.RATES, "LIMIT_MESSAGES_USER": Rate(3, 60)}
    assert MESSAGES_USER.of("ann") == Count("messages", "messages:user:ann", Rate(3, 60))
    assert MESSAGES_ROOM.of("ann") != MESSAGES_USER.of("ann")
    assert FRAMES.rate == FRAMES.configured


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_of_when_limits_are_off_then_is_none(settings: Any, limit: NamedLimit) -> None:
    settings.RATE_LIMITS = False
    assert limit.of("ann") is None
    assert limit.rate is None
    assert limit.configured == settings.RATES[limit.variable]


def test_of_when_the_limit_is_not_declared_here_then_fails(settings: Any) -> None:
    settings.RATE_LIMITS = True
    undeclared = dataclasses.replace(MESSAGES_USER, name="reactions:user", variable="LIMIT_REACTIONS_USER")
    with pytest.raises(LookupError, match="LIMIT_REACTIONS_USER"):
        undeclared.of("ann")
