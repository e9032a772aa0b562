"""The rate limits of rooms: of new ones however they are made, of their changes, and of their members."""

from collections.abc import Callable

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer

from .test_members import add, change, remove


async def test_room_when_over_the_limit_then_is_not_made(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_ROOMS_USER="3/1d")
    user, *others = (server.sign_up() for _ in range(5))
    one, two, three, four = others
    user.make_room(one)
    direct = {"userId": two.id}
    assert [user.http.post("/api/rooms/direct", json=direct).status_code for _ in range(2)] == [201, 200]
    async with user.connect() as client, four.connect() as listener:
        to_three, to_four = ({"toUserId": peer.id, "content": "x"} for peer in (three, four))
        await client.reply("message:send", to_three)
        check_error(await client.error("message:send", to_four), "rate_limited")
        error_of(user.http.post("/api/rooms/direct", json={"userId": four.id}), 429, "rate_limited")
        error_of(
            user.http.post("/api/rooms", json={"name": "x", "memberIds": [four.id]}), 429, "rate_limited"
        )
        # Rooms that are there are written to as before.
        for peer in (two, three):
            await client.reply("message:send", {"toUserId": peer.id, "content": "x"})
        assert "room:added" not in [frame["event"] for frame in await listener.read_all()]
    assert four.http.get("/api/rooms").json()["results"] == []
    assert len(user.http.get("/api/rooms").json()["results"]) == 3


async def test_first_messages_when_over_their_limit_then_no_room_is_made(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_USER="1/1d")
    user, one, two = (server.sign_up() for _ in range(3))
    async with user.connect() as client:
        await client.reply("message:send", {"toUserId": one.id, "content": "x"})
        check_error(await client.error("message:send", {"toUserId": two.id, "content": "x"}), "rate_limited")
    assert two.http.get("/api/rooms").json()["results"] == []


def test_room_when_changed_over_the_limit_of_messages_then_stays(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_ROOM="3/1d")
    user, stranger = server.sign_up(), server.sign_up()
    room_id = user.make_room()
    path = f"/api/rooms/{room_id}"
    for _ in range(5):
        error_of(stranger.http.patch(path, json={"name": "x"}), 404, "not_found")
    user.send(room_id, "x")
    assert user.http.patch(path, json={"name": "one"}).status_code == 200
    assert user.http.patch(path, json={"meta": {"a": 1}}).status_code == 200
    error_of(user.http.patch(path, json={"name": "two"}), 429, "rate_limited")
    room = user.http.get(path).json()
    assert (room["name"], room["meta"]) == ("one", {"a": 1})


def test_members_when_changed_over_the_limit_then_stay(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_EVENTS_USER="3/1d")
    user, one, two = (server.sign_up() for _ in range(3))
    room_id = user.make_room(two)
    assert add(user, room_id, one).status_code == 201
    assert change(user, room_id, one, role="admin").status_code == 200
    assert remove(user, room_id, two).status_code == 204
    error_of(change(user, room_id, one, role="member"), 429, "rate_limited")
    error_of(remove(user, room_id, one), 429, "rate_limited")
    error_of(add(user, room_id, two), 429, "rate_limited")
    error_of(user.http.delete(f"/api/rooms/{room_id}"), 429, "rate_limited")
    members = user.http.get(f"/api/rooms/{room_id}").json()["members"]
    assert {member["userId"]: member["role"] for member in members} == {user.id: "owner", one.id: "admin"}
