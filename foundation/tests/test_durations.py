"""Durations in the arguments of commands."""

from argparse import ArgumentTypeError
from datetime import timedelta

import pytest

from foundation.durations import parse_age, parse_duration, parse_seconds

pytestmark = pytest.mark.once  # texts

WRONG = [
    "", "s", "nan", "inf", "nans", "infs", "Infinity", "1e9", "1e400s", "-1", "-1d", "+1s", "1.", "1.s", ".5s",
    "1_0s", " 1s", "1s ", "1s\n", "1 s", "1w", "1d2h", "0x1s", "\u0661d", "\uff11", "36500.1d", "36501d",
    "9999999999s",
    "9" * 400, "9" * 400 + "d",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("365d", timedelta(days=365)),
        ("36500d", timedelta(days=36_500)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("0s", timedelta(0)),
        ("0.5s", timedelta(seconds=0.5)),
    ],
)
def test_duration_when_it_has_a_unit_then_is_read(text: str, right: timedelta) -> None:
    assert parse_duration(text) == parse_seconds(text) == right


@pytest.mark.parametrize("text", ["30", "0", "1.5"])
def test_duration_when_without_a_unit_then_is_seconds_or_refused(text: str) -> None:
    assert parse_seconds(text) == timedelta(seconds=float(text))
    with pytest.raises(ArgumentTypeError, match="such as 365d"):
        parse_duration(text)


@pytest.mark.parametrize("text", WRONG, ids=lambda text: ascii(text)[:20])
def test_duration_when_it_is_anything_else_then_says_what_is_right(text: str) -> None:
    for parse in (parse_duration, parse_seconds):
        with pytest.raises(ArgumentTypeError, match="up to 36500d"):
            parse(text)


@pytest.mark.parametrize("text", ["0s", "0d", "0.0h"])
def test_age_when_it_is_zero_then_is_refused(text: str) -> None:
    assert parse_age("0.5s") == timedelta(seconds=0.5)
    with pytest.raises(ArgumentTypeError, match="above 0"):
        parse_age(text)
