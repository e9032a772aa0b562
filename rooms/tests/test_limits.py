"""The rate limit of new rooms, however they are made."""

from collections.abc import Callable

from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer


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
