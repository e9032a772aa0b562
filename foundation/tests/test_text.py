"""Text and free JSON from clients: what is refused, and with which words."""

from typing import Any

import pytest

from foundation.text import (
    MAX_META_DEPTH,
    MAX_SAFE_INTEGER,
    meta_problem,
    name_problem,
    same_json,
    shows_nothing,
    text_problem,
)

pytestmark = pytest.mark.once  # texts


# What is drawn, by a few scripts, emoji made of several characters, and characters newer than Python's tables.
VISIBLE = [
    "a",
    " a ",
    ".",
    "\u00a0x",
    "\u200bx\u200b",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "e\u0301",
    "\u0301e",
    "\ud55c\uad6d",
    "\u1112\u1161\u11ab",
    "\u0928\u093f",
    "\u2764\ufe0f",
    "1\ufe0f\u20e3",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\U0001f1e9\U0001f1ea",
    "\U0001f44d\U0001f3fd",
    "\U0001fae8",
    "\U0001fadf",
    "\ufffc",
    "\ufffd",
    "\ue000",
    "\u2801",
    "\u202eabc",
]
BLANK = {
    "nothing": "",
    "spaces": " \t\r\n\u00a0\u2003\u3000\u2028\u2029",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "soft hyphen": "\u00ad",
    "hangul fillers": "\u115f\u1160\u3164\uffa0",
    "braille blank": "\u2800",
    "variation selectors": "\ufe0e\ufe0f\U000e0100",
    "mongolian": "\u180b\u180c\u180d\u180e\u180f",
    "marks alone": "\u0301\u0308\u20e3\u034f",
    "khmer": "\u17b4\u17b5",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "overrides": "\u202e\u202d\u202c",
    "isolates": "\u2066\u2067\u2068\u2069",
    "direction marks": "\u061c\u200e\u200f",
    "invisible operators": "\u2061\u2062\u2063\u2064",
    "deprecated formats": "\u206a\u206f",
    "notehead": "\U0001d159",
    "musical formats": "\U0001d173\U0001d17a",
    "annotations": "\ufff9\ufffa\ufffb",
    "unassigned": "\u2065\ufff0\U000e0080",
    "noncharacters": "\ufdd0\uffff\U0010fffe",
    "mixed": " \u200b\u3164\n\u0301",
}


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


@pytest.mark.parametrize("text", VISIBLE, ids=ascii)
def test_shows_nothing_when_something_is_drawn_then_is_false(text: str) -> None:
    assert not shows_nothing(text)


@pytest.mark.parametrize("text", BLANK.values(), ids=BLANK.keys())
def test_shows_nothing_when_all_is_blank_then_is_true(text: str) -> None:
    assert shows_nothing(text)
    assert all(shows_nothing(character) for character in text)
    assert name_problem(text)


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "Zo\u00eb \U0001f98a",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u05d3\u05e0\u200f!",
        "\ud64d\uae38\ub3d9",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "\u2764\ufe0f",
        "O\u2019Neil",
        "a b",
    ],
    ids=ascii,
)
def test_name_problem_when_it_is_a_name_then_there_is_none(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\nb", "one line"),
        ("a\r\nb", "one line"),
        ("a\tb", "one line"),
        ("a\u2028b", "one line"),
        ("a\u2029b", "one line"),
        ("a\u0085b", "Control characters"),
        ("a\x0bb", "Control characters"),
        ("a\x00b", "Control characters"),
        ("a\u202eb", "direction"),
        ("\u202aa\u202c", "direction"),
        ("a\u2066b\u2069", "direction"),
        ("\u200b", "empty or invisible"),
        ("", "empty or invisible"),
    ],
    ids=ascii,
)
def test_name_problem_when_it_is_none_then_says_why(name: str, words: str) -> None:
    assert words in (name_problem(name) or "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (1, 1.0),
        (0.0, -0.0),
        (None, False),
        ("1", 1),
        ([1], [True]),
        ({"a": {"b": [1]}}, {"a": {"b": [True]}}),
        ({}, {"a": None}),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ],
)
def test_same_json_when_a_value_differs_then_is_false(one: Any, other: Any) -> None:
    assert not same_json(one, other)
    assert same_json(one, one)


def test_same_json_when_only_the_order_of_keys_differs_then_is_true() -> None:
    assert same_json({"a": {"x": 1, "y": [True]}, "b": 2}, {"b": 2, "a": {"y": [True], "x": 1}})
