"""Client: sessions that follow one another on a transport, and packets that have no place in them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.clients import ANSWER_SECONDS
from tests.kit.servers import SHORT_LEASES, ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .engine_clients import EngineSocket, login, open_polling, open_socket

pytestmark = pytest.mark.once  # about packets; test_socketio_endpoint runs on every database

PING = '["ping",{}]'
CYCLES = 20


@pytest.fixture(scope="module")
def counted() -> Iterator[ChatServer]:
    """A server whose sockets are only those of one test."""
    server = ChatServer(**SHORT_LEASES)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def user(counted: ChatServer) -> ChatUser:
    return counted.sign_up()


@pytest.fixture
async def socket(counted: ChatServer) -> AsyncIterator[EngineSocket]:
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted) as socket:
        yield socket


def sockets(server: ChatServer) -> float:
    with server.http() as http:
        families = text_string_to_metric_families(http.get("/metrics").text)
    return sum(
        sample.value for family in families if family.name == "chat_sockets" for sample in family.samples
    )


async def all_gone(server: ChatServer, user: ChatUser) -> None:
    """Nothing is left of the user's sessions: no socket is counted, and the user is offline to others."""
    await until(lambda: sockets(server) == 0, "no socket is counted", poll_seconds=0.1)
    other = server.sign_up()

    def is_offline() -> bool:
        presence: dict[str, Any] = other.http.get(f"/api/users/{user.id}/presence").json()
        return not presence["online"]

    other.make_room(user)
    await until(is_offline, "the user is offline", poll_seconds=0.1)


async def test_connect_when_after_a_disconnect_then_has_a_new_session(
    counted: ChatServer, user: ChatUser
) -> None:
    room_id = user.make_room()
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted, user) as socket:
        before = json.loads(socket.seen[-1].removeprefix("42"))[1]
        await socket.send("41", login(user))
        await socket.expect("40{")
        ready = json.loads((await socket.expect('42["ready"')).removeprefix("42"))[1]
        assert (ready["userId"], room_id in ready["rooms"]) == (user.id, True)
        assert ready["connectionId"] != before["connectionId"]
        sent = await socket.ask(f'["message:send",{{"roomId":"{room_id}","content":"again"}}]')
        assert sent["seq"] == 1
        # Two sessions at once would receive it twice.
        assert await socket.ask(PING)
        assert sum(packet.startswith('42["message:receive"') for packet in socket.seen) == 1
        assert sockets(counted) == 1
    await all_gone(counted, user)


async def test_connect_when_repeated_many_times_then_one_session_is_left(
    counted: ChatServer, user: ChatUser, socket: EngineSocket
) -> None:
    await socket.send(*[login(user), "41"] * CYCLES, login(user))
    await socket.expect('42["ready"')
    await until(lambda: sockets(counted) == 1, "one socket is counted", poll_seconds=0.1)
    assert await socket.ask(PING)
    await socket.send("41", "41")
    await all_gone(counted, user)


@pytest.mark.parametrize(
    "packets",
    [
        ["40", "40"],
        [f"42{PING}"],
        ["421" + PING],
        ["40", "41", "421" + PING],
        ["40", "42/admin,1" + PING],
        ["40[1]"],
        ['40{"token":NaN}'],
        ["40", "44{}"],
        ["40", '451-["x",{"_placeholder":true,"num":0}]'],
        ["40", '461-7["x"]'],
        ["40", "47"],
        ["40", "42" + "1" * 65 + PING],
        ["40/" + "n" * 65],
        ["40", "42{}"],
        ["40", "42-1" + PING],
        ["40", "42[]"],
        ["40", "0"],
        ["40", ""],
        ["40", "4x"],
        ["40", "9"],
    ],
)
async def test_packet_when_it_has_no_place_then_the_transport_ends(
    packets: list[str], counted: ChatServer, user: ChatUser
) -> None:
    logged = len(counted.log.read_text())
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted) as socket:
        for packet in packets:
            await socket.send(login(user) if packet == "40" else packet)
            if packet == "40" and packets.count("40") == 1:
                await socket.expect('42["ready"')
        async for _ in socket.ws:
            pass
    assert "Traceback" not in counted.log.read_text()[logged:]
    await all_gone(counted, user)


async def test_attachment_when_sent_then_the_transport_ends(counted: ChatServer, user: ChatUser) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted, user) as socket:
        await socket.ws.send(b"an attachment")
        async for _ in socket.ws:
            pass
    await all_gone(counted, user)


async def test_packet_when_it_asks_for_nothing_then_the_session_goes_on(
    counted: ChatServer, user: ChatUser
) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted, user) as socket:
        # Acknowledgements of what was never asked, another namespace, and packets of Engine.IO alone.
        await socket.send("430[]", "43" + "9" * 60 + "[1]", "43[]", "41/admin", "2", "3", "5", "6")
        await socket.send("40/admin,", "40/chat?token=x,{}")
        for namespace in ("/admin", "/chat"):
            refused = await socket.expect(f"44{namespace},")
            assert json.loads(refused.removeprefix(f"44{namespace},"))["data"]["code"] == "not_found"
        assert await socket.ask(PING)
        assert sockets(counted) == 1


@pytest.mark.parametrize("ack_id", ["0", "007", "9" * 64])
async def test_ack_id_when_of_any_digits_then_comes_back(
    ack_id: str, counted: ChatServer, user: ChatUser
) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted, user) as socket:
        assert (await socket.ask(PING, ack_id))["serverTime"]
        refused = await socket.ask('["nothing",{}]', ack_id)
        assert refused["error"]["code"] == "unknown_event"


async def test_event_when_not_json_then_is_refused_and_the_session_goes_on(
    counted: ChatServer, user: ChatUser
) -> None:
    async with asyncio.timeout(ANSWER_SECONDS), open_socket(counted, user) as socket:
        for event in (
            "",
            "[",
            "[" * 20_000,
            '["ping"',
            '["ping"]x',
            '["ping"],"event":"ping"}',
            "[5]",
            '["\\ud800"]',
        ):
            assert (await socket.ask(event))["error"]["code"] == "invalid", event[:20]
        # Names that are reserved in Socket.IO are events like any other here.
        for event in ('["connect"]', '["disconnect",1]'):
            assert (await socket.ask(event))["error"]["code"] == "unknown_event"
        assert await socket.ask(PING)


ODD = [
    '{"content":"x","meta":{"a":NaN}}',
    '{"content":"x","meta":{"a":Infinity}}',
    '{"content":"x","meta":{"a":-Infinity}}',
    '{"content":"x","meta":{"a":1e400}}',
    '{"content":"x","meta":{"a":-1e400}}',
    '{"content":"x","meta":{"a":1e308}}',
    '{"content":"x","meta":{"a":-0}}',
    '{"content":"x","meta":{"a":-0.0}}',
    '{"content":"x","meta":{"a":01}}',
    '{"content":"x","meta":{"a":9223372036854775808}}',
    '{"content":"x","meta":{"a":-9223372036854775809}}',
    '{"content":"x","meta":{"a":18446744073709551616}}',
    '{"content":"x","meta":{"a":1,"a":2}}',
    '{"content":"x","content":"y"}',
    '{"content":"\\ud83d"}',
    '{"content":"x","meta":{"\\udc00":1}}',
    '{"content":"x","meta":{"a":' + "[" * 50 + "]" * 50 + "}}",
    '{"content":"x","meta":{"a":' + "[" * 1200 + "]" * 1200 + "}}",
    '{"content":"x","meta":{"a":' + "[" * 20_000 + "]" * 20_000 + "}}",
    '{"content":"\u0000"}',
    "null",
    "[]",
    '"text"',
    "{",
]


@pytest.mark.parametrize("data", ODD, ids=lambda data: data[:60])
async def test_data_when_odd_then_the_verdict_is_that_of_the_plain_socket(
    data: str, server: ChatServer, ann: ChatUser
) -> None:
    room_id = ann.make_room()
    data = data.replace("{", f'{{"roomId":"{room_id}",', 1) if data.startswith('{"') else data
    async with (
        asyncio.timeout(ANSWER_SECONDS),
        ann.connect() as plain,
        open_socket(server, ann) as socket,
    ):
        await plain.send_raw(f'{{"ref":1,"event":"message:send","data":{data}}}')
        expected = await plain.expect(
            lambda frame: frame["event"] == "reply" or frame["event"].startswith("error:")
        )
        answer = await socket.ask(f'["message:send",{data}]')
        if expected["event"] == "reply":
            assert answer["seq"] == 2
            one, two = ann.history(room_id)
            assert (one["content"], repr(one["meta"])) == (two["content"], repr(two["meta"]))
        else:
            assert answer["error"]["code"] == expected["data"]["code"]
            assert ann.history(room_id) == []
            assert f'42["{expected["event"]}"' in "".join(socket.seen)


async def test_namespaces_when_answers_are_not_taken_then_the_transport_ends(
    counted: ChatServer, user: ChatUser
) -> None:
    """Each CONNECT of another namespace is answered with more bytes than it has."""
    async with asyncio.timeout(ANSWER_SECONDS), open_polling(counted, user) as client:
        await client.post(*["40/x,"] * 5_000)
        answers = (await client.poll()).text
        assert answers.count("44/x,") <= 32
        await all_gone(counted, user)
