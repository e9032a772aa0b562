"""Index documents in the form in which MongoDB lists them. The tests' server has no text indexes to list."""

import pytest

from djongo_lts.index_documents import filter_columns, index_columns, renamed_index

# MongoDB lists create_index([("room_id", 1), ("content", "text"), ("at", -1)], default_language="none") so.
TEXT_INDEX = {
    "v": 2,
    "key": [("room_id", 1), ("_fts", "text"), ("_ftsx", 1), ("at", -1)],
    "weights": {"content": 1},
    "default_language": "none",
    "language_override": "language",
    "textIndexVersion": 3,
}
PARTIAL_INDEX = {
    "v": 2,
    "key": [("slug", 1)],
    "unique": True,
    "partialFilterExpression": {"$and": [{"slug": {"$lt": "m"}}, {"slug": {"$gte": ""}, "open": True}]},
}


def test_columns_when_the_index_is_a_text_index_then_its_text_is_included():
    assert index_columns(TEXT_INDEX) == {"room_id", "content", "at"}
    assert filter_columns(TEXT_INDEX) == set()


def test_columns_when_the_filter_has_an_and_then_its_parts_are_included():
    assert filter_columns(PARTIAL_INDEX) == index_columns(PARTIAL_INDEX) == {"slug", "open"}


@pytest.mark.parametrize(
    ("old", "keys", "weights"),
    [
        ("content", [("room_id", 1), ("new", "text"), ("at", -1)], {"new": 1}),
        ("at", [("room_id", 1), ("content", "text"), ("new", -1)], {"content": 1}),
    ],
)
def test_text_index_when_a_column_is_renamed_then_it_can_be_created(old, keys, weights):
    options = {"default_language": "none", "language_override": "language", "textIndexVersion": 3}
    assert renamed_index(TEXT_INDEX, old, "new") == (keys, {"weights": weights, **options})


def test_partial_index_when_a_column_is_renamed_then_its_filter_follows():
    where = {"$and": [{"new": {"$lt": "m"}}, {"new": {"$gte": ""}, "open": True}]}
    expected = [("new", 1)], {"unique": True, "partialFilterExpression": where}
    assert renamed_index(PARTIAL_INDEX, "slug", "new") == expected
    assert (
        renamed_index(PARTIAL_INDEX, "other", "new")[1]["partialFilterExpression"]
        == (PARTIAL_INDEX["partialFilterExpression"])
    )
