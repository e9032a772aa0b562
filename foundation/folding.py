"""Folding: the form in which text is searched, so that case, accents and width do not matter.

Databases differ in this (SQLite folds ASCII only, PostgreSQL as its locale says), so the folded text is stored, and
a search compares plain characters everywhere.
"""

import re
import unicodedata

# Marks on letters of Latin, Greek, Cyrillic, Hebrew and Arabic script. Those of other scripts, such as the vowels
# of Devanagari or the voicing of kana, make another letter, and are kept.
ACCENTS = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670" \
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # fmt: skip
# What shows nothing of its own: soft hyphens, joiners, marks of direction, variation selectors.
INVISIBLE = "\u00ad\u0640\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
REMOVED = re.compile(f"[{ACCENTS}{INVISIBLE}]")
# Letters with a stroke, and ligatures, which Unicode does not decompose.
LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ħ": "h",
        "ŧ": "t",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "æ": "ae",
        "œ": "oe",
    }
)


def fold(text: str) -> str:
    """The text without case, accents and width: "Größe" and "GROSSE" become "grosse".

    Composed and decomposed text becomes the same. To fold twice changes nothing. The result may be empty, or up to
    18 times longer.
    """
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", REMOVED.sub("", letters).translate(LETTERS))
