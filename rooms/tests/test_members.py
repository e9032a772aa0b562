"""Members over REST: permissions, mutes, the last owner, the limit of members. About eight seconds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_rooms import MEMBER_KEYS, NOBODY, roles_of, room_of


def add(actor: ChatUser, room_id: str, user: ChatUser, **fields: Any) -> Any:
    return actor.http.post(f"/api/rooms/{room_id}/members", json={"userId": user.id, **fields})


def change(actor: ChatUser, room_id: str, user: ChatUser, **fields: Any) -> Any:
    return actor.http.patch(f"/api/rooms/{room_id}/members/{user.id}", json=fields)


def remove(actor: ChatUser, room_id: str, user: ChatUser) -> Any:
    return actor.http.delete(f"/api/rooms/{room_id}/members/{user.id}")


def moment(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def trio(ann: ChatUser, ben: ChatUser, cleo: ChatUser) -> str:
    """A room with ann as owner, ben as admin and cleo as member."""
    room_id = ann.make_room(ben, cleo)
    assert change(ann, room_id, ben, role="admin").status_code == 200
    return room_id


def test_member_when_added_by_an_admin_then_may_read_and_send(
    trio: str, ann: ChatUser, ben: ChatUser, server: ChatServer
) -> None:
    ann.send(trio, "before")
    newcomer = server.sign_up()
    answer = add(ben, trio, newcomer)
    assert answer.status_code == 201
    member = answer.json()
    assert set(member) == MEMBER_KEYS
    assert (member["userId"], member["role"], member["mutedUntil"]) == (newcomer.id, "member", None)
    assert member in room_of(ann, trio)["members"]
    assert room_of(newcomer, trio)["unreadCount"] == 0
    assert [message["content"] for message in newcomer.history(trio)] == ["before"]
    assert newcomer.send(trio, "hello")["seq"] == 2
    error_of(add(ann, trio, newcomer), 409, "conflict", "userId")


def test_member_when_added_by_a_member_then_is_forbidden(
    trio: str, cleo: ChatUser, server: ChatServer
) -> None:
    error_of(add(cleo, trio, server.sign_up()), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"userId": NOBODY}, "userId"),
        ({"userId": "x"}, "userId"),
        ({}, "userId"),
        ({"userId": NOBODY, "role": "king"}, "role"),
        ({"userId": NOBODY, "mutedUntil": None}, "mutedUntil"),
    ],
)
def test_member_when_added_with_bad_fields_then_names_them(
    trio: str, ann: ChatUser, body: dict[str, Any], field: str
) -> None:
    error_of(ann.http.post(f"/api/rooms/{trio}/members", json=body), 400, "invalid", field)


def test_roles_when_granted_then_only_an_owner_makes_admins_and_owners(
    trio: str, ann: ChatUser, ben: ChatUser, cleo: ChatUser, server: ChatServer
) -> None:
    newcomer = server.sign_up()
    for role in ("admin", "owner"):
        error_of(add(ben, trio, newcomer, role=role), 403, "forbidden")
        error_of(change(ben, trio, cleo, role=role), 403, "forbidden")
        error_of(change(ben, trio, ben, role="owner"), 403, "forbidden")
        error_of(change(cleo, trio, cleo, role=role), 403, "forbidden")
    assert add(ann, trio, newcomer, role="admin").json()["role"] == "admin"
    assert change(ann, trio, cleo, role="owner").json()["role"] == "owner"
    assert roles_of(ann, trio) == {ann.id: "owner", ben.id: "admin", cleo.id: "owner", newcomer.id: "admin"}


def test_members_when_managed_then_an_admin_reaches_members_only(
    trio: str, ann: ChatUser, ben: ChatUser, cleo: ChatUser, server: ChatServer
) -> None:
    other_admin = server.sign_up()
    add(ann, trio, other_admin, role="admin")
    for target in (ann, other_admin):
        error_of(change(ben, trio, target, mutedUntil=moment(hours=1)), 403, "forbidden")
        error_of(change(ben, trio, target, role="member"), 403, "forbidden")
        error_of(remove(ben, trio, target), 403, "forbidden")
    for target in (ann, ben):
        error_of(change(cleo, trio, target, role="member"), 403, "forbidden")
        error_of(remove(cleo, trio, target), 403, "forbidden")
    error_of(ben.http.delete(f"/api/rooms/{trio}"), 403, "forbidden")
    error_of(cleo.http.patch(f"/api/rooms/{trio}", json={"name": "x"}), 403, "forbidden")
    assert change(ben, trio, cleo, mutedUntil=moment(hours=1)).status_code == 200
    assert remove(ben, trio, cleo).status_code == 204
    assert remove(ann, trio, other_admin).status_code == 204


def test_member_when_unknown_then_is_not_found(trio: str, ann: ChatUser, server: ChatServer) -> None:
    for user_id in (server.sign_up().id, NOBODY, "x"):
        path = f"/api/rooms/{trio}/members/{user_id}"
        error_of(ann.http.patch(path, json={"role": "admin"}), 404, "not_found")
        error_of(ann.http.delete(path), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "king"}, "role"),
        ({"role": None}, "role"),
        ({"mutedUntil": "tomorrow"}, "mutedUntil"),
        ({"mutedUntil": 5}, "mutedUntil"),
        ({"mutedUntil": "0001-01-01T00:00:00+14:00"}, "mutedUntil"),
        ({"readSeq": 7}, "readSeq"),
    ],
)
def test_member_when_changed_with_bad_fields_then_stays(
    trio: str, ann: ChatUser, cleo: ChatUser, body: dict[str, Any], field: str
) -> None:
    before = room_of(ann, trio)
    error_of(change(ann, trio, cleo, **body), 400, "invalid", field)
    assert room_of(ann, trio) == before


async def test_muted_member_when_writing_then_is_refused_until_the_mute_ends(
    trio: str, ben: ChatUser, cleo: ChatUser
) -> None:
    message = cleo.send(trio, "before")
    until = moment(hours=1)
    assert change(ben, trio, cleo, mutedUntil=until).json()["mutedUntil"] == until
    error = error_of(cleo.http.post(f"/api/rooms/{trio}/messages", json={"content": "x"}), 403, "muted")
    assert 3500 < error["retryAfter"] <= 3600
    path = f"/api/rooms/{trio}/messages/{message['id']}"
    error_of(cleo.http.patch(path, json={"content": "x"}), 403, "muted")
    async with cleo.connect() as client:
        refused = await client.error("message:send", {"roomId": trio, "content": "x"})
        check_error(refused, "muted")
        edit = {"roomId": trio, "messageId": message["id"], "content": "x"}
        check_error(await client.error("message:edit", edit), "muted")
        assert [found["content"] for found in cleo.history(trio)] == ["before"]
        for ended in (None, moment(hours=-1)):
            change(ben, trio, cleo, mutedUntil=until)
            assert change(ben, trio, cleo, mutedUntil=ended).status_code == 200
            await client.reply("message:send", {"roomId": trio, "content": "after"})
    assert [found["content"] for found in ben.history(trio)] == ["before", "after", "after"]


def test_last_owner_when_leaving_then_another_owner_is_required(
    trio: str, ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    error_of(remove(ann, trio, ann), 409, "conflict")
    error_of(change(ann, trio, ann, role="member"), 409, "conflict")
    assert change(ann, trio, ann, role="owner").status_code == 200
    assert change(ann, trio, cleo, role="owner").status_code == 200
    assert remove(ann, trio, ann).status_code == 204
    assert roles_of(ben, trio) == {ben.id: "admin", cleo.id: "owner"}
    error_of(ann.http.get(f"/api/rooms/{trio}"), 404, "not_found")


def test_last_owners_when_leaving_at_once_then_one_stays(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    for _ in range(3):
        room_id = ann.make_room(ben, cleo)
        change(ann, room_id, ben, role="owner")
        with ThreadPoolExecutor(2) as pool:
            left = list(pool.map(lambda user, room=room_id: remove(user, room, user), (ann, ben)))
        assert [answer.status_code for answer in left].count(204) <= 1
        assert "owner" in roles_of(cleo, room_id).values()


def test_owner_when_alone_then_leaves_and_the_room_is_gone(ann: ChatUser) -> None:
    room_id = ann.make_room()
    assert remove(ann, room_id, ann).status_code == 204
    error_of(ann.http.get(f"/api/rooms/{room_id}"), 404, "not_found")


def test_room_when_full_then_takes_no_more(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(MAX_ROOM_MEMBERS="2")
    one, two, three = (server.sign_up() for _ in range(3))
    answer = one.http.post("/api/rooms", json={"name": "x", "memberIds": [two.id, three.id]})
    error_of(answer, 409, "conflict")
    assert one.http.get("/api/rooms").json()["results"] == []
    room_id = one.make_room(two)
    error_of(add(one, room_id, three), 409, "conflict")
    assert remove(two, room_id, two).status_code == 204
    assert add(one, room_id, three).status_code == 201


def test_members_when_too_many_are_added_at_once_then_the_limit_holds(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(MAX_ROOM_MEMBERS="3")
    owner, *others = (server.sign_up() for _ in range(5))
    for _ in range(4):
        room_id = owner.make_room()
        with ThreadPoolExecutor(len(others)) as pool:
            # A client for each, because a client of httpx sends one request after the other.
            answers = list(pool.map(lambda user, room=room_id: add(owner.on(server), room, user), others))
        assert {answer.status_code for answer in answers} <= {201, 409}
        added = {user.id for user, answer in zip(others, answers, strict=True) if answer.status_code == 201}
        assert set(roles_of(owner, room_id)) == {owner.id, *added}
        assert len(added) <= 2
        for user in others:
            add(owner, room_id, user)
        # Every place is free or has a member.
        assert len(roles_of(owner, room_id)) == 3
