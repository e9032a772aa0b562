"""What bounds putting people into rooms: rooms of a user, new rooms, strangers, adding again. About ten seconds."""

from collections.abc import Callable
from typing import Any

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_members import add, remove


def create(user: ChatUser, *members: ChatUser) -> Any:
    return user.http.post("/api/rooms", json={"name": "x", "memberIds": [member.id for member in members]})


def direct(user: ChatUser, other: ChatUser) -> Any:
    return user.http.post("/api/rooms/direct", json={"userId": other.id})


def rooms_of(user: ChatUser) -> set[str]:
    return {room["id"] for room in user.http.get("/api/rooms").json()["results"]}


async def test_user_when_in_as_many_rooms_as_allowed_then_gets_no_other(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(MAX_ROOMS_USER="2")
    full, adder, third = (server.sign_up() for _ in range(3))
    mine = {full.make_room(), full.make_room(third)}
    room_id = adder.make_room()
    async with adder.connect() as client, full.connect() as victim:
        assert client.ready["limits"]["maxRoomsUser"] == 2
        for answer, field in (
            (create(adder, third, full), "memberIds"),
            (add(adder, room_id, full), "userId"),
            (direct(adder, full), "userId"),
        ):
            error = error_of(answer, 409, "conflict", field)
            assert full.id in error["fields"][field][0]
            assert "2" not in error["message"], "how many rooms somebody has is nobody's business"
        first = {"toUserId": full.id, "content": "x"}
        check_error(await client.error("message:send", first), "conflict", "toUserId")
        assert await victim.read_all() == []
    for answer in (create(full), direct(full, adder), direct(full, full)):
        error_of(answer, 409, "conflict")
    assert (rooms_of(full), rooms_of(adder)) == (mine, {room_id})
    assert len(rooms_of(third)) == 1
    # There is place for another one when a room has ended.
    assert full.http.delete(f"/api/rooms/{sorted(mine)[0]}").status_code == 204
    assert add(adder, room_id, full).status_code == 201


def test_rooms_when_over_the_long_limit_then_none_is_made(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_ROOMS_USER_LONG="2/1d")
    user, one, two = (server.sign_up() for _ in range(3))
    assert create(user).status_code == direct(user, one).status_code == 201
    assert error_of(create(user), 429, "rate_limited")["retryAfter"] > 0
    error_of(direct(user, two), 429, "rate_limited")
    assert direct(user, one).status_code == 200
    assert (len(rooms_of(user)), rooms_of(two)) == (2, set())


async def test_strangers_when_over_the_limit_then_nobody_is_added(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_STRANGERS_USER="3/1d")
    user, *people = (server.sign_up() for _ in range(6))
    one, two, three, four, five = people
    # More than the limit has at all are refused for ever, and take nothing from it.
    error_of(create(user, one, two, three, four), 400, "invalid", "memberIds")
    room_id = user.make_room(one, two)
    # Who shares a room is no stranger any more.
    assert create(user, one, two).status_code == direct(user, two).status_code == 201
    error_of(create(user, three, four), 429, "rate_limited")
    assert add(user, room_id, three).status_code == 201
    error_of(add(user, room_id, four), 429, "rate_limited")
    error_of(direct(user, four), 429, "rate_limited")
    async with user.connect() as client:
        assert client.ready["limits"]["strangersUser"] == "3/86400s"
        check_error(await client.error("message:send", {"toUserId": four.id, "content": "x"}), "rate_limited")
    assert rooms_of(four) == rooms_of(five) == set()
    assert rooms_of(three) == {room_id}
    # The limit is of the one who adds.
    assert direct(four, user).status_code == 201


def test_member_when_added_too_often_then_stays_outside(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_ADDS_MEMBER="2/1d")
    owner, admin, member, other = (server.sign_up() for _ in range(4))
    room_id = owner.make_room(admin, member)
    assert (
        owner.http.patch(f"/api/rooms/{room_id}/members/{admin.id}", json={"role": "admin"}).status_code
        == 200
    )
    for adder in (owner, admin):
        assert remove(member, room_id, member).status_code == 204
        assert add(adder, room_id, member).status_code == 201
        error_of(add(adder, room_id, member), 409, "conflict", "userId")
    assert remove(member, room_id, member).status_code == 204
    for adder in (owner, admin):
        error_of(add(adder, room_id, member), 429, "rate_limited")
    assert rooms_of(member) == set()
    # Others are added as before, and the member elsewhere.
    assert add(owner, room_id, other).status_code == 201
    assert create(owner, member).status_code == 201


def test_limits_when_who_adds_may_not_then_nothing_is_taken(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_ADDS_MEMBER="1/1d", LIMIT_STRANGERS_USER="1/1d")
    owner, member, stranger, wanted = (server.sign_up() for _ in range(4))
    room_id = owner.make_room(member)
    for _ in range(2):
        error_of(add(member, room_id, wanted), 403, "forbidden")
        error_of(add(stranger, room_id, wanted), 404, "not_found")
    assert add(member, member.make_room(), wanted).status_code == 201
    assert add(owner, owner.make_room(), wanted).status_code == 429, (
        "the one stranger of the owner is the member"
    )
