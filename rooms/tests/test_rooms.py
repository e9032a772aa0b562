"""Rooms over REST: create, list, read, change, delete, and the answers to strangers. About six seconds."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

NOBODY = "01900000-0000-7000-8000-000000000000"
ROOM_KEYS = {
    "id", "kind", "name", "meta", "to", "createdBy", "createdAt", "lastActivityAt", "lockedAt",
    "firstSeq", "lastSeq", "unreadCount", "lastMessage", "role",
}  # fmt: skip
MEMBER_KEYS = {"userId", "role", "mutedUntil", "joinedAt", "deliveredSeq", "readSeq"}


def room_of(user: ChatUser, room_id: str) -> dict[str, Any]:
    answer = user.http.get(f"/api/rooms/{room_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def roles_of(user: ChatUser, room_id: str) -> dict[str, str]:
    return {member["userId"]: member["role"] for member in room_of(user, room_id)["members"]}


def pages_of(user: ChatUser, first: str, link: str = "next") -> list[list[dict[str, Any]]]:
    """All pages from `first` on, by following the links."""
    pages, url = [], first
    while url:
        answer = user.http.get(url)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"results", "next", "previous"}
        pages.append(answer.json()["results"])
        url = answer.json()[link]
    return pages


def test_room_when_created_then_the_creator_owns_it(ann: ChatUser, ben: ChatUser, cleo: ChatUser) -> None:
    body = {"name": "Tea", "memberIds": [ben.id, cleo.id, ben.id, ann.id], "meta": {"colour": "green"}}
    answer = ann.http.post("/api/rooms", json=body)
    assert answer.status_code == 201
    room = answer.json()
    assert set(room) == ROOM_KEYS | {"members"}
    assert all(set(member) == MEMBER_KEYS for member in room["members"])
    expected = {
        "kind": "group", "name": "Tea", "meta": {"colour": "green"}, "to": None, "createdBy": ann.id,
        "lockedAt": None, "firstSeq": 1, "lastSeq": 0, "unreadCount": 0, "lastMessage": None, "role": "owner",
    }  # fmt: skip
    assert {name: room[name] for name in expected} == expected
    assert roles_of(ben, room["id"]) == {ann.id: "owner", ben.id: "member", cleo.id: "member"}
    assert room_of(ann, room["id"]) == room
    assert room_of(ben, room["id"])["role"] == "member"


def test_room_when_created_alone_then_has_one_member(ann: ChatUser) -> None:
    answer = ann.http.post("/api/rooms", json={"name": "Mine"})
    assert [member["userId"] for member in answer.json()["members"]] == [ann.id]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x", "memberIds": "all"}, "memberIds"),
        ({"name": "x", "memberIds": [NOBODY]}, "memberIds"),
        ({"name": "x", "memberIds": ["me"]}, "memberIds.0"),
        ({"name": "x", "meta": []}, "meta"),
        ({"name": "x", "meta": {"deep": "\x00"}}, "meta"),
        ({"name": "x", "meta": {"big": "x" * 5000}}, "meta"),
        ({"name": "x", "color": "red"}, "color"),
    ],
)
def test_room_when_created_with_bad_fields_then_names_the_field(
    server: ChatServer, ann: ChatUser, body: dict[str, Any], field: str
) -> None:
    before = ann.http.get("/api/rooms?limit=1").json()["results"]
    error_of(ann.http.post("/api/rooms", json=body), 400, "invalid", field)
    assert ann.http.get("/api/rooms?limit=1").json()["results"] == before


def test_room_when_created_with_a_deactivated_user_then_is_invalid(ann: ChatUser, gone: ChatUser) -> None:
    body = {"name": "x", "memberIds": [gone.id]}
    error_of(ann.http.post("/api/rooms", json=body), 400, "invalid", "memberIds")


def test_room_when_patched_by_an_admin_then_all_see_it(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben, name="old")
    answer = ann.http.patch(f"/api/rooms/{room_id}", json={"name": "new", "meta": {"a": 1}})
    assert answer.status_code == 200
    assert answer.json() == room_of(ann, room_id)
    assert (answer.json()["name"], answer.json()["meta"]) == ("new", {"a": 1})
    assert ann.http.patch(f"/api/rooms/{room_id}", json={"meta": {}}).json()["name"] == "new"
    assert room_of(ben, room_id)["meta"] == {}


async def test_room_when_patched_with_another_type_then_all_hear_it(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    metas = [{"a": [1], "b": 0}, {"a": [True], "b": 0}, {"a": [True], "b": False}, {"a": [1], "b": False}]
    async with ben.connect() as client:
        for meta in metas:
            # The repeat changes nothing, so nobody hears it.
            for _ in range(2):
                answer = ann.http.patch(f"/api/rooms/{room_id}", json={"meta": meta})
                assert repr(answer.json()["meta"]) == repr(meta)
        ann.http.patch(f"/api/rooms/{room_id}", json={"name": "end"})
        await client.expect(lambda frame: frame["event"] == "room:updated" and frame["data"]["name"] == "end")
    heard = [frame["data"]["meta"] for frame in client.frames if frame["event"] == "room:updated"]
    assert repr(heard) == repr([*metas, metas[-1]])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u200b\u3164"}, "name"),
        ({"name": "a\r\nb"}, "name"),
        ({"name": "a\u2029b"}, "name"),
        ({"name": "\u2067a"}, "name"),
        ({"kind": "direct"}, "kind"),
        ({"meta": "x"}, "meta"),
    ],
)
def test_room_when_patched_with_bad_fields_then_stays(
    ann: ChatUser, body: dict[str, Any], field: str
) -> None:
    room_id = ann.make_room()
    before = room_of(ann, room_id)
    error_of(ann.http.patch(f"/api/rooms/{room_id}", json=body), 400, "invalid", field)
    assert room_of(ann, room_id) == before


def test_room_when_deleted_by_its_owner_then_is_gone_for_all(ann: ChatUser, ben: ChatUser) -> None:
    room_id = ann.make_room(ben)
    ann.send(room_id, "last words")
    error_of(ben.http.delete(f"/api/rooms/{room_id}"), 403, "forbidden")
    answer = ann.http.delete(f"/api/rooms/{room_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for user in (ann, ben):
        error_of(user.http.get(f"/api/rooms/{room_id}"), 404, "not_found")
        error_of(user.http.get(f"/api/rooms/{room_id}/messages"), 404, "not_found")
        assert room_id not in {room["id"] for room in user.http.get("/api/rooms?limit=200").json()["results"]}


REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"name": "x"}),
    ("DELETE", "", None),
    ("POST", "/members", {"userId": NOBODY}),
    ("PATCH", f"/members/{NOBODY}", {"role": "admin"}),
    ("DELETE", f"/members/{NOBODY}", None),
    ("GET", "/messages", None),
    ("POST", "/messages", {"content": "x"}),
    ("PATCH", f"/messages/{NOBODY}", {"content": "x"}),
    ("DELETE", f"/messages/{NOBODY}", None),
    ("GET", f"/messages/{NOBODY}/receipts", None),
    ("POST", f"/messages/{NOBODY}/report", {"reason": "x"}),
    ("GET", "/presence", None),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_foreign_room_when_requested_then_is_not_found(
    ann: ChatUser, cleo: ChatUser, method: str, path: str, body: Any
) -> None:
    room_id = ann.make_room()
    errors = []
    for asked in (room_id, NOBODY, str(uuid.uuid4()), "not-an-id", "1", "%00"):
        answer = cleo.http.request(method, f"/api/rooms/{asked}{path}", json=body)
        error = error_of(answer, 404, "not_found")
        errors.append({name: value for name, value in error.items() if name != "requestId"})
    assert errors[0] == errors[1] == errors[2]


def test_direct_room_when_opened_from_either_side_then_is_one(server: ChatServer, ann: ChatUser) -> None:
    other = server.sign_up()
    first = ann.http.post("/api/rooms/direct", json={"userId": other.id})
    again = ann.http.post("/api/rooms/direct", json={"userId": other.id})
    back = other.http.post("/api/rooms/direct", json={"userId": ann.id})
    assert [answer.status_code for answer in (first, again, back)] == [201, 200, 200]
    assert set(first.json()) == ROOM_KEYS | {"members"}
    assert first.json() == again.json()
    assert back.json()["id"] == first.json()["id"]
    assert (first.json()["kind"], first.json()["to"], back.json()["to"]) == ("direct", other.id, ann.id)
    assert roles_of(other, first.json()["id"]) == {ann.id: "member", other.id: "member"}


def test_direct_room_when_both_open_it_at_once_then_is_created_once(server: ChatServer) -> None:
    left, right = server.sign_up(), server.sign_up()
    both = [(left, right.id), (right, left.id)] * 4
    with ThreadPoolExecutor(len(both)) as pool:
        answers = list(
            pool.map(
                lambda pair: pair[0].server.http(pair[0]).post("/api/rooms/direct", json={"userId": pair[1]}),
                both,
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    for user in (left, right):
        assert len(user.http.get("/api/rooms").json()["results"]) == 1


def test_direct_room_when_opened_with_oneself_then_has_one_member(server: ChatServer) -> None:
    user = server.sign_up()
    answers = [user.http.post("/api/rooms/direct", json={"userId": user.id}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["to"] == user.id
    assert [member["userId"] for member in answers[0].json()["members"]] == [user.id]
    assert user.send(answers[0].json()["id"], "note")["to"] == user.id


@pytest.mark.parametrize("body", [{"userId": NOBODY}, {"userId": "x"}, {"userId": None}, {}, {"userId": []}])
def test_direct_room_when_opened_with_nobody_then_is_invalid(ann: ChatUser, body: dict[str, Any]) -> None:
    error_of(ann.http.post("/api/rooms/direct", json=body), 400, "invalid", "userId")


def test_direct_room_when_peer_is_deactivated_then_only_an_old_one_opens(
    server: ChatServer, ann: ChatUser, deactivate: Any
) -> None:
    friend, stranger = server.sign_up(), server.sign_up()
    room = ann.http.post("/api/rooms/direct", json={"userId": friend.id}).json()
    for user in (friend, stranger):
        deactivate(user)
    error_of(ann.http.post("/api/rooms/direct", json={"userId": stranger.id}), 400, "invalid", "userId")
    again = ann.http.post("/api/rooms/direct", json={"userId": friend.id})
    assert (again.status_code, again.json()["id"]) == (200, room["id"])


def test_direct_room_when_managed_then_is_forbidden(ann: ChatUser, ben: ChatUser, cleo: ChatUser) -> None:
    room_id = ann.http.post("/api/rooms/direct", json={"userId": ben.id}).json()["id"]
    path = f"/api/rooms/{room_id}"
    error_of(ann.http.patch(path, json={"name": "ours"}), 403, "forbidden")
    error_of(ann.http.delete(path), 403, "forbidden")
    error_of(ann.http.post(f"{path}/members", json={"userId": cleo.id}), 403, "forbidden")
    error_of(ann.http.patch(f"{path}/members/{ben.id}", json={"role": "admin"}), 403, "forbidden")
    error_of(ann.http.delete(f"{path}/members/{ben.id}"), 403, "forbidden")
    error_of(ann.http.delete(f"{path}/members/{ann.id}"), 403, "forbidden")


@pytest.mark.smoke
def test_rooms_when_listed_then_newest_activity_comes_first(server: ChatServer, ann: ChatUser) -> None:
    user = server.sign_up()
    quiet, busy, latest = (ann.make_room(user, name=name) for name in ("quiet", "busy", "latest"))
    sent = [ann.send(busy, f"m{n}") for n in range(3)]
    user.send(latest, "my own")
    ann.make_room(name="not the user's")
    rooms = user.http.get("/api/rooms").json()["results"]
    assert all(set(room) == ROOM_KEYS for room in rooms)
    assert [room["id"] for room in rooms] == [latest, busy, quiet]
    assert [room["unreadCount"] for room in rooms] == [0, 3, 0]
    assert [room["lastSeq"] for room in rooms] == [1, 3, 0]
    assert rooms[1]["lastMessage"] == sent[-1]
    assert rooms[1]["lastActivityAt"] == sent[-1]["createdAt"]
    assert rooms[2]["lastMessage"] is None
    ann.send(quiet, "wakes it")
    assert [room["id"] for room in user.http.get("/api/rooms").json()["results"]] == [quiet, latest, busy]
    assert (
        user.http.delete(f"/api/rooms/{latest}/messages/{user.history(latest)[0]['id']}").status_code == 204
    )
    shown = next(room for room in user.http.get("/api/rooms").json()["results"] if room["id"] == latest)
    assert (shown["lastMessage"]["type"], shown["lastMessage"]["content"]) == ("deleted", "")


def test_rooms_when_paged_then_links_lead_through_all_and_back(server: ChatServer) -> None:
    user = server.sign_up()
    made = [user.make_room(name=f"room {n}") for n in range(7)]
    pages = pages_of(user, "/api/rooms?limit=3")
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [room["id"] for page in pages for room in page] == made[::-1]
    last = user.http.get("/api/rooms?limit=3").json()["next"]
    last = user.http.get(last).json()["next"]
    back = pages_of(user, last, "previous")
    assert [room["id"] for page in back[::-1] for room in page] == made[::-1]
