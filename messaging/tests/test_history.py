"""History before, after and around a seq, id or time. Takes about three seconds."""

from typing import Any

import pytest

from tests.kit.errors import error_of
from tests.kit.users import ChatUser

NOBODY = "01900000-0000-7000-8000-000000000000"
TOTAL = 12


@pytest.fixture(scope="module")
def room_id(ann: ChatUser, ben: ChatUser) -> str:
    """A room with messages 1 to 12, which no test changes."""
    room_id = ann.make_room(ben)
    for n in range(1, TOTAL + 1):
        ann.send(room_id, f"m{n}")
    return room_id


@pytest.fixture(scope="module")
def log(room_id: str, ann: ChatUser) -> list[dict[str, Any]]:
    return ann.history(room_id)


def page(user: ChatUser, room_id: str, **query: Any) -> tuple[list[int], bool]:
    answer = user.http.get(f"/api/rooms/{room_id}/messages", params=query)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"results", "hasMore"}
    return [message["seq"] for message in answer.json()["results"]], answer.json()["hasMore"]


def test_history_when_without_an_anchor_then_has_the_newest_in_order(room_id: str, ben: ChatUser) -> None:
    assert page(ben, room_id) == ([*range(1, 13)], False)
    assert page(ben, room_id, limit=12) == ([*range(1, 13)], False)
    assert page(ben, room_id, limit=5) == ([8, 9, 10, 11, 12], True)
    assert page(ben, room_id, limit=200) == ([*range(1, 13)], False)


@pytest.mark.parametrize(
    ("query", "seqs", "has_more"),
    [
        ({"before": 5, "limit": 2}, [3, 4], True),
        ({"before": 3, "limit": 2}, [1, 2], False),
        ({"before": 1}, [], False),
        ({"before": 0}, [], False),
        ({"before": 10**30, "limit": 3}, [10, 11, 12], True),
        ({"after": 5, "limit": 2}, [6, 7], True),
        ({"after": 10, "limit": 2}, [11, 12], False),
        ({"after": 12}, [], False),
        ({"after": 0, "limit": 1}, [1], True),
        ({"after": 10**30}, [], False),
        ({"around": 6, "limit": 3}, [5, 6, 7], True),
        ({"around": 1, "limit": 3}, [1, 2, 3], True),
        ({"around": 6, "limit": 200}, [*range(1, 13)], False),
        ({"around": 12, "limit": 1}, [12], True),
        ({"around": 10**30, "limit": 1}, [12], True),
    ],
    ids=str,
)
def test_history_when_by_seq_then_has_the_range_and_has_more(
    room_id: str, ben: ChatUser, query: dict[str, Any], seqs: list[int], has_more: bool
) -> None:
    assert page(ben, room_id, **query) == (seqs, has_more)


def test_history_when_by_id_or_time_then_equals_that_by_seq(
    room_id: str, ben: ChatUser, log: list[dict[str, Any]]
) -> None:
    times = [message["createdAt"] for message in log]
    for index in (0, 4, 11):
        seq, message_id, moment = index + 1, log[index]["id"], times[index]
        for where in ("before", "after", "around"):
            by_seq = page(ben, room_id, limit=3, **{where: seq})
            assert page(ben, room_id, limit=3, **{where: message_id}) == by_seq
            if times.count(moment) == 1:
                assert page(ben, room_id, limit=3, **{where: moment}) == by_seq
                other_zone = moment.replace("Z", "+00:00")
                assert page(ben, room_id, limit=3, **{where: other_zone}) == by_seq
    assert page(ben, room_id, before="2000-01-01T00:00:00Z") == ([], False)
    assert page(ben, room_id, after="2000-01-01T00:00:00Z", limit=2) == ([1, 2], True)
    assert page(ben, room_id, after="2999-01-01T00:00:00Z") == ([], False)
    assert page(ben, room_id, before="2999-01-01T00:00:00Z", limit=1) == ([12], True)
    assert page(ben, room_id, before="9999-12-31T23:59:59.999Z", limit=1) == ([12], True)


@pytest.mark.smoke
def test_history_when_paged_both_ways_then_has_each_message_once(room_id: str, ben: ChatUser) -> None:
    for where, start in (("before", 13), ("after", 0)):
        seen: list[int] = []
        anchor, has_more = start, True
        while has_more:
            seqs, has_more = page(ben, room_id, limit=5, **{where: anchor})
            seen += seqs
            anchor = seqs[0] if where == "before" else seqs[-1]
        assert sorted(seen) == [*range(1, 13)]


def test_history_when_the_room_is_empty_then_is_empty(ann: ChatUser) -> None:
    room_id = ann.make_room()
    for query in ({}, {"before": 5}, {"after": 0}, {"around": 3}, {"around": "2026-01-01T00:00:00Z"}):
        assert page(ann, room_id, **query) == ([], False)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(
            ({"limit": limit}, "limit")
            for limit in ("0", "201", "-1", "9" * 30, "9" * 2000, "x", "", "1e3", "NaN")
        ),
        *(
            ({where: anchor}, where)
            for where in ("before", "after", "around")
            for anchor in ("-1", "x", "", "1.5", "2026-11-24", "2026-11-24T03:40:00", "2026-13-01T00:00:00Z")
        ),
        ({"after": "%00"}, "after"),
        ({"before": "0001-01-01T00:00:00+14:00"}, "before"),
        ({"offset": "3"}, "offset"),
    ],
)
def test_history_when_the_query_is_bad_then_names_the_field(
    room_id: str, ben: ChatUser, query: dict[str, str], field: str
) -> None:
    error_of(ben.http.get(f"/api/rooms/{room_id}/messages", params=query), 400, "invalid", field)


def test_history_when_given_two_anchors_then_is_invalid(room_id: str, ben: ChatUser) -> None:
    answer = ben.http.get(f"/api/rooms/{room_id}/messages", params={"before": 1, "after": 1})
    error_of(answer, 400, "invalid")


def test_history_when_around_another_rooms_message_then_is_not_found(room_id: str, ann: ChatUser) -> None:
    elsewhere = ann.send(ann.make_room(), "x")["id"]
    for anchor in (elsewhere, NOBODY):
        error_of(ann.http.get(f"/api/rooms/{room_id}/messages", params={"around": anchor}), 404, "not_found")
