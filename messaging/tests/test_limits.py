"""The rate limits of edits and of the events that are not stored, over socket and REST."""

from collections.abc import Callable

from tests.kit.clients import ChatSocketClient
from tests.kit.errors import error_of
from tests.kit.servers import ChatServer


async def is_limited(client: ChatSocketClient, event: str, data: dict[str, object]) -> bool:
    answer = await client.request(event, data)
    if answer["event"] == "reply":
        return False
    assert (answer["event"], answer["data"]["retryAfter"] > 1) == ("error:rate_limited", True)
    return True


async def test_edit_when_over_the_limit_of_messages_then_is_unchanged(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_USER="4/1d")
    user = server.sign_up()
    room_id = user.make_room()
    message = user.send(room_id, "v0")
    path = f"/api/rooms/{room_id}/messages/{message['id']}"
    async with user.connect() as client:
        edit = {"roomId": room_id, "messageId": message["id"]}
        answers = [await is_limited(client, "message:edit", edit | {"content": f"v{n}"}) for n in (1, 2)]
        assert answers == [False, False]
        assert user.http.patch(path, json={"content": "v3"}).status_code == 200
        assert await is_limited(client, "message:edit", edit | {"content": "v4"})
        error_of(user.http.patch(path, json={"content": "v4"}), 429, "rate_limited")
        assert await is_limited(client, "message:send", {"roomId": room_id, "content": "x"})
    assert [found["content"] for found in user.history(room_id)] == ["v3"]


async def test_edit_when_of_strangers_then_the_room_has_its_limit_still(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_MESSAGES_ROOM="3/1d")
    user, stranger = server.sign_up(), server.sign_up()
    room_id = user.make_room()
    message = user.send(room_id, "v0")
    path = f"/api/rooms/{room_id}/messages/{message['id']}"
    for _ in range(5):
        error_of(stranger.http.patch(path, json={"content": "x"}), 404, "not_found")
    assert [user.http.patch(path, json={"content": text}).status_code for text in "abc"] == [200, 200, 429]


async def test_typing_when_over_the_limit_then_only_ends_are_accepted(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_TYPING_USER="3/1d")
    user, other = server.sign_up(), server.sign_up()
    room_id = user.make_room(other)
    async with other.connect() as listener, user.connect() as one, user.connect() as two:
        begins, ends = ({"roomId": room_id, "isTyping": typing} for typing in (True, False))
        assert [await is_limited(client, "typing", begins) for client in (one, one, two, two)] == [
            False, False, False, True,
        ]  # fmt: skip
        for client in (one, two, one):
            assert not await is_limited(client, "typing", ends)
        shown = [(await listener.expect("typing"))["data"]["isTyping"] for _ in range(4)]
        assert shown == [True, True, True, False]


async def test_events_when_over_the_limit_then_all_kinds_are_refused(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_EVENTS_USER="4/1d")
    user = server.sign_up()
    room_id = user.make_room()
    one, two = user.send(room_id, "one"), user.send(room_id, "two")
    events = {
        "message:ack": {"roomId": room_id, "seq": 1, "status": "read"},
        "presence:query": {"userIds": [user.id]},
        "auth:refresh": {"token": user.access_token},
        "message:delete": {"roomId": room_id, "messageId": one["id"]},
    }
    async with user.connect() as client:
        assert [await is_limited(client, event, data) for event, data in events.items()] == [False] * 4
        events["message:delete"]["messageId"] = two["id"]
        assert [await is_limited(client, event, data) for event, data in events.items()] == [True] * 4
    error_of(user.http.delete(f"/api/rooms/{room_id}/messages/{two['id']}"), 429, "rate_limited")
    assert [found["type"] for found in user.history(room_id)] == ["deleted", "text"]


def test_search_when_over_the_limit_then_is_refused(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_SEARCHES_USER="2/1d")
    user, other = server.sign_up(), server.sign_up()
    for _ in range(2):
        assert user.http.get("/api/messages/search", params={"q": "x"}).status_code == 200
    error_of(user.http.get("/api/messages/search", params={"q": "x"}), 429, "rate_limited")
    assert user.http.get("/api/rooms").status_code == 200
    assert other.http.get("/api/messages/search", params={"q": "x"}).status_code == 200
