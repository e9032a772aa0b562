"""Folding of text for search."""

import sys

import pytest

from foundation.folding import fold

pytestmark = pytest.mark.once  # nothing here uses the database


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Snake_Case 50%", "snake_case 50%"),
        ("ÉTÉ", "ete"),
        ("e\u0301te\u0301", "ete"),
        ("Größe", "grosse"),
        ("GRÖSSE", "grosse"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("か", "か"),
        ("が", "が"),
        ("か\u3099", "が"),
        ("한국어", "한국어"),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165", "한국어"),
        ("日本語", "日本語"),
        ("ΌΔΟΣ", "οδοσ"),
        ("Ёлка", "елка"),
        ("İSTANBUL ısı", "istanbul isi"),
        ("Łódź Ærø", "lodz aero"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("हिन्दी", "हिन्दी"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("👩\u200d🚀 ❤\ufe0f", "👩🚀 ❤"),
        ("ﬁne", "fine"),
        ("", ""),
    ],
)
def test_text_when_folded_then_case_accents_and_width_are_gone(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_every_character_when_folded_twice_then_stays_the_same() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    # Between letters, so that marks have something to compose with.
    assert [c for c in characters if fold(fold(f"a{c}e")) != fold(f"a{c}e")] == []
    assert max(len(fold(c)) for c in characters) <= 18
