"""What is derived from the declaration of a rate limit."""

import dataclasses
from typing import Any

import pytest

from foundation.limits.declaration import Count, NamedLimit
from foundation.limits.named import FRAMES, LIMITS, MESSAGES_ROOM, MESSAGES_USER
from foundation.limits.rates import Rate

pytestmark = pytest.mark.once  # declarations


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
