"""The socket at /ws/chat/ of a real server: envelopes, refs, origins, sizes and limits. About ten seconds."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.kit.errors import check_error
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

READY_KEYS = {"userId", "connectionId", "deviceId", "serverTime", "expiresAt", "rooms", "moreRooms", "limits"}


async def test_ready_when_connected_then_is_the_first_frame_and_complete(
    ann: ChatUser, ben: ChatUser
) -> None:
    room_id = ann.make_room(ben)
    ann.send(room_id, "x")
    async with ben.connect(device_id="phone") as client, ben.connect() as other:
        ready = client.ready
        assert set(client.frames[0]) == {"event", "data"}
        assert set(ready) == READY_KEYS
        assert (ready["userId"], ready["deviceId"], ready["rooms"][room_id]) == (ben.id, "phone", 1)
        assert ready["moreRooms"] is False
        assert other.ready["deviceId"] == other.ready["connectionId"]
        assert ready["serverTime"] < ready["expiresAt"]
        assert ready["limits"] == {
            "messagesUser": "10/5s", "messagesRoom": "50/5s", "frames": "50/1s", "eventsUser": "250/5s",
            "resumesUser": "120/60s", "typingUser": "20/5s", "roomsUser": "30/60s", "roomsUserLong": "200/3600s",
            "strangersUser": "500/3600s", "addsMember": "3/86400s", "connectsUser": "30/60s",
            "connectsIp": "3000/60s", "connectsForged": "60/60s", "maxContentChars": 4000, "maxMetaBytes": 4096,
            "maxFrameBytes": 65536, "maxConnectionsUser": 10, "maxRoomMembers": 1000, "maxRoomsUser": 1000,
        }  # fmt: skip


@pytest.mark.parametrize("ref", ["a", "", "r" * 64, "ü", 0, 1, -5, 2**53, 10**30, 1.5, 1e300, -1e-7])
async def test_ref_when_sent_then_is_echoed_in_the_one_answer(ann: ChatUser, ref: Any) -> None:
    async with ann.connect() as client:
        await client.send("ping", ref=ref)
        await client.send("nonsense", ref=ref)
        await client.reply("ping")
        answers = [frame for frame in client.frames if frame.get("ref") == ref]
    assert [frame["event"] for frame in answers] == ["reply", "error:unknown_event"]
    assert [set(frame) for frame in answers] == [{"event", "ref", "data"}] * 2
    assert all(type(frame["ref"]) is type(ref) for frame in answers)
    assert list(answers[0]["data"]) == ["serverTime"]


async def test_frame_when_it_has_no_ref_then_only_errors_are_answered(
    ann: ChatUser,
) -> None:
    async with ann.connect() as client:
        await client.send("ping")
        await client.send("ping", ref=None)
        assert await client.read_all() == []
        await client.send("ping", {"x": 1})
        (error,) = await client.read_all()
        assert set(error) == {"event", "data"}
        check_error(error["data"], "invalid", "x")


BAD_FRAMES: list[tuple[str | bytes, str, Any]] = [
    ("", "invalid", None),
    ("hello", "invalid", None),
    ("{", "invalid", None),
    ("null", "invalid", None),
    ("[]", "invalid", None),
    ('"ping"', "invalid", None),
    ("5", "invalid", None),
    ("{}", "invalid", None),
    ('{"event": "ping"} x', "invalid", None),
    ('{"event": "ping", "ref": 1} x', "invalid", 1),
    ('{"event": "ping", "ref": NaN}', "invalid", None),
    ('{"event": "\\ud800", "ref": 1}', "invalid", 1),
    ('{"event": "message:send", "data": {"content": "hi \\ud83d"}, "ref": 1}', "invalid", 1),
    ('{"event": "ping", "data": {"\\ude00": 1}, "ref": 1}', "invalid", 1),
    ('{"event": "ping", "ref": "\\ud83d"}', "invalid", "\ud83d"),
    ('{"event": "ping", "data": NaN, "ref": 1}', "invalid", 1),
    ('{"event": null, "ref": 1}', "invalid", 1),
    ('{"event": 5, "ref": "a"}', "invalid", "a"),
    ('{"data": {}, "ref": "a"}', "invalid", "a"),
    ('{"event": "ping", "ref": "a", "extra": 1}', "invalid", "a"),
    ('{"event": "ping", "ref": "a", "data": []}', "invalid", "a"),
    ('{"event": "ping", "ref": "a", "data": null}', "invalid", "a"),
    ('{"event": "ping", "ref": "a", "data": "x"}', "invalid", "a"),
    ('{"event": "ping", "ref": true}', "invalid", None),
    ('{"event": "ping", "ref": ["a"]}', "invalid", None),
    (json.dumps({"event": "ping", "ref": "r" * 65}), "invalid", None),
    (json.dumps({"event": "ping", "ref": "1"})[:-3] + "9" * 70 + "}", "invalid", None),
    ('{"event": "message:sent", "ref": "a"}', "unknown_event", "a"),
    ('{"event": "", "ref": "a"}', "unknown_event", "a"),
    ('{"event": "ready", "ref": "a"}', "unknown_event", "a"),
    ('{"event": "message:receive", "ref": "a"}', "unknown_event", "a"),
    (json.dumps({"event": "x" * 60_000, "ref": "a"}), "unknown_event", "a"),
    ("[" * 30_000 + "]" * 30_000, "invalid", None),
    ('{"event": "ping", "ref": "a", "data": ' + '{"a":' * 9000 + "1" + "}" * 9000 + "}", "invalid", "a"),
    ('{"event": "ping", "data": ' + "[" * 32_000 + "]" * 32_000 + ', "ref": 1}', "invalid", 1),
    (b'{"event": "ping", "ref": "a"}', "invalid", "a"),
    (b"\x00\xff", "invalid", None),
]


@pytest.mark.parametrize(("frame", "code", "ref"), BAD_FRAMES, ids=lambda value: repr(value)[:50])
async def test_frame_when_bad_then_gets_one_error_and_the_connection_lives(
    ann: ChatUser, frame: str | bytes, code: str, ref: Any
) -> None:
    async with ann.connect() as client:
        await client.send_raw(frame)
        # A presence update about ann's previous socket may come in between.
        answers = [answer for answer in await client.read_all() if answer["event"] != "presence:update"]
        assert [(answer["event"], answer.get("ref")) for answer in answers] == [(f"error:{code}", ref)]
        assert set(answers[0]) - {"ref"} == {"event", "data"}
        check_error(answers[0]["data"], code, *answers[0]["data"].get("fields", {}))
        assert len(json.dumps(answers[0])) < 1000


async def test_unknown_event_when_similar_to_a_known_one_then_names_it(ann: ChatUser) -> None:
    async with ann.connect() as client:
        assert "message:send" in (await client.error("message:sent"))["message"]


async def test_frame_when_over_the_size_limit_then_closes_with_1009(
    ann: ChatUser,
) -> None:
    frame = json.dumps({"event": "ping", "ref": "big"})
    async with ann.connect() as client:
        await client.send_raw(frame + " " * (65536 - len(frame)))
        await client.expect(lambda frame: frame.get("ref") == "big")
        await client.send_raw(frame + " " * (65537 - len(frame)))
        assert await client.close_code() == 1009
    async with ann.connect() as client:
        await client.send_raw(b"x" * 65537)
        assert await client.close_code() == 1009
    async with ann.connect() as client:
        await client.send_raw('{"event": "ü' + "ü" * 32768 + '"}')
        assert await client.close_code() == 1009


async def handshake(server: ChatServer, user: ChatUser, **headers: str) -> int:
    """The status of a handshake: 101 if it was accepted."""
    all_headers = {"Authorization": f"Bearer {user.access_token}", **headers}
    try:
        async with connect(server.ws_url, additional_headers=all_headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "http://[",
        "",
        "file://",
        "http://localhost.evil.example",
    ],
)
async def test_origin_when_not_allowed_then_gets_403(server: ChatServer, ann: ChatUser, origin: str) -> None:
    assert await handshake(server, ann, Origin=origin) == 403


async def test_origin_when_own_or_absent_then_is_allowed(server: ChatServer, ann: ChatUser) -> None:
    assert await handshake(server, ann, Origin=server.base_url) == 101
    assert await handshake(server, ann) == 101


async def test_socket_when_at_another_path_then_gets_403(server: ChatServer, ann: ChatUser) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.ws_url + "other"):
            pass
    assert refused.value.response.status_code == 403


@pytest.fixture(scope="module")
def limited() -> Iterator[ChatServer]:
    """A server with small limits. The rates last an hour, longer than any test."""
    server = ChatServer(
        RATE_LIMITS="on",
        LIMIT_SIGNUP_IP="100/1h",
        LIMIT_REST_ANON="1000/1h",
        LIMIT_MESSAGES_USER="3/1h",
        LIMIT_MESSAGES_ROOM="5/1h",
        LIMIT_FRAMES="20/1h",
        MAX_CONNECTIONS_USER="2",
        MAX_CONTENT_CHARS="10",
        MAX_META_BYTES="20",
        MAX_FRAME_BYTES="1000",
        ALLOWED_ORIGINS="https://chat.example,https://.partner.example",
    )
    try:
        yield server.start()
    finally:
        server.stop()


async def test_origin_when_listed_then_is_allowed(limited: ChatServer) -> None:
    user = limited.sign_up()
    for origin, status in (
        ("https://chat.example", 101),
        ("https://a.partner.example", 101),
        ("http://chat.example", 403),
        ("https://chat.example.evil.example", 403),
    ):
        assert await handshake(limited, user, Origin=origin) == status


async def test_messages_when_over_a_limit_then_socket_and_rest_refuse_them(
    limited: ChatServer,
) -> None:
    user, other = limited.sign_up(), limited.sign_up()
    room_id = user.make_room(other)
    path = f"/api/rooms/{room_id}/messages"
    async with user.connect() as client:
        for n in range(2):
            await client.reply("message:send", {"roomId": room_id, "content": f"m{n}"})
        user.send(room_id, "m2")
        error = await client.error("message:send", {"roomId": room_id, "content": "m3"})
        check_error(error, "rate_limited")
        assert 0 < error["retryAfter"] <= 3600
        answer = user.http.post(path, json={"content": "m4"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
        for n in range(2):
            other.send(room_id, f"o{n}")
        answer = other.http.post(path, json={"content": "over"})
        assert answer.status_code == 429
    assert [message["content"] for message in user.history(room_id)] == ["m0", "m1", "m2", "o0", "o1"]


async def test_frames_when_over_the_limit_then_are_refused_and_closed_with_4429(
    limited: ChatServer,
) -> None:
    user = limited.sign_up()
    async with user.connect() as client:
        for n in range(20):
            await client.send_raw("garbage counts too" if n % 2 else '{"event": "ping", "ref": 0}')
        error = await client.error("ping")
        check_error(error, "rate_limited")
        assert error["retryAfter"] > 0
        for _ in range(100):
            await client.send("ping", ref="go on")
        assert await client.close_code() == 4429
    refused = [frame for frame in client.frames if frame["event"] == "error:rate_limited"]
    assert all(frame.get("ref") for frame in refused)
    assert len([frame for frame in client.frames if frame["event"] == "reply"]) == 10


async def test_connections_when_over_the_limit_then_are_closed_with_4429(limited: ChatServer) -> None:
    user = limited.sign_up()
    async with user.connect() as one, user.connect():
        async with user.connect(ready=False) as third:
            assert await third.close_code() == 4429
        await one.reply("ping")
        async with limited.sign_up().connect() as stranger:
            await stranger.reply("ping")


async def test_sizes_when_set_then_hold_on_socket_and_rest(limited: ChatServer) -> None:
    user = limited.sign_up()
    room_id = user.make_room()
    async with user.connect() as client:
        for data, field in (
            ({"content": "x" * 11}, "content"),
            ({"content": "x", "meta": {"k": "x" * 20}}, "meta"),
        ):
            check_error(await client.error("message:send", {"roomId": room_id, **data}), "invalid", field)
            answer = user.http.post(f"/api/rooms/{room_id}/messages", json=data)
            assert list(answer.json()["error"]["fields"]) == [field]
        assert client.ready["limits"]["maxContentChars"] == 10
        assert client.ready["limits"]["maxConnectionsUser"] == 2
        await client.send_raw(" " * 1001)
        assert await client.close_code() == 1009
    assert user.history(room_id) == []


async def test_server_when_it_stops_then_sockets_close_with_1012(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    user = server.sign_up()
    async with user.connect() as client:
        stopping = asyncio.create_task(asyncio.to_thread(server.process.terminate))  # type: ignore[union-attr]
        assert await client.close_code() == 1012
        await stopping
