"""Text and free JSON from clients: what is refused, and with which words."""

from typing import Any

import pytest

from foundation.text import MAX_META_DEPTH, MAX_SAFE_INTEGER, meta_problem, text_problem

pytestmark = pytest.mark.once  # texts


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels > 1 else {}


@pytest.mark.parametrize("text", ["", "a\tb\r\nc", "\u202edlrow", "\U0001f600", "e\u0301", "\u00a0"])
def test_text_problem_when_it_has_no_control_character_then_there_is_none(text: str) -> None:
    assert text_problem(text) is None


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1b", "\x7f", "\x80", "\x9f"])
def test_text_problem_when_it_has_a_control_character_then_says_so(character: str) -> None:
    assert text_problem(f"a{character}b") == "Control characters are not allowed."


def test_text_problem_when_it_has_a_lone_surrogate_then_says_so() -> None:
    assert text_problem("a\ud800b") == "Lone surrogates are not allowed."


def test_meta_problem_when_it_is_plain_json_then_there_is_none() -> None:
    meta = {"a": [1, 2.5, None, True, "text"], "n": -MAX_SAFE_INTEGER, "deep": nested(MAX_META_DEPTH - 1)}
    assert meta_problem(meta, max_bytes=1000) is None


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"a": "\x00"}, "Control characters"),
        ({"a\x00": 1}, "Control characters"),
        ({"a": [{"b": "\ud800"}]}, "Lone surrogates"),
        ({"a": MAX_SAFE_INTEGER + 1}, "2^53"),
        ({"a": -MAX_SAFE_INTEGER - 1}, "2^53"),
        (nested(MAX_META_DEPTH + 1), "deeper than 20 levels"),
        ({"a": "x" * 100}, "Larger than 100 bytes"),
    ],
)
def test_meta_problem_when_a_value_is_refused_then_says_why(meta: dict[str, Any], words: str) -> None:
    problem = meta_problem(meta, max_bytes=100)
    assert problem is not None
    assert words in problem
