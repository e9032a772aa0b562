"""Rates as they are written in settings."""

import pytest

from foundation.limits.rates import Rate

pytestmark = pytest.mark.once  # texts


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/5s", Rate(10, 5)), ("100/15m", Rate(100, 900)), ("5/h", Rate(5, 3600)), (" 1/1d ", Rate(1, 86400))],
)
def test_parse_when_count_and_period_then_is_read(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "ten", "10", "10/", "10/5", "10/5w", "0/5s", "5/0s", "-1/5s", "1.5/s"])
def test_parse_when_it_is_no_rate_then_the_error_shows_the_text(text: str) -> None:
    with pytest.raises(ValueError, match=f"{text!r} is not a rate"):
        Rate.parse(text)


def test_str_when_shown_to_clients_then_the_period_is_in_seconds() -> None:
    assert str(Rate.parse("100/15m")) == "100/900s"
    assert Rate.parse(str(Rate.parse("5/h"))) == Rate(5, 3600)
