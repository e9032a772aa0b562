"""Peer: frames become packets, events become frames, and a client that takes nothing fills its own outbox."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from foundation import times
from foundation.errors import Forbidden, Internal, Overloaded, RateLimited, Unauthenticated, Unavailable
from foundation.ids import uuid7
from realtime.session.connection import Identity
from realtime.session.frame_limit import FrameLimiter
from realtime.socketio.outlet import MAX_UNTAKEN_PACKETS, Outlet
from realtime.socketio.packets import CountedPacket
from realtime.socketio.peer import READ_AHEAD_EVENTS, Peer
from realtime.wire.close_codes import CloseCode
from realtime.wire.protocol import Empty, encode_error, encode_reply
from tests.kit.waiting import until

pytestmark = pytest.mark.once  # a transport in memory

EVENT = b'{"event":"typing","data":{}}'
FRAME = {"type": "websocket.receive", "text": "{}"}


class Client(Outlet):
    """A peer, and the packets that its client has not taken."""

    def __init__(self) -> None:
        super().__init__(self, "sid")  # type: ignore[arg-type]
        self.queue: list[CountedPacket] = []
        self.is_closed = False
        self.peer = Peer(self, {}, {}, FrameLimiter(None))
        self.connection = self.peer.open_connection(Identity(uuid7(), uuid7(), times.now()))

    async def send(self, *args: Any) -> None:
        """The outlet's `send` with a packet's text, and the engine's with a packet."""
        if len(args) == 1:
            await super().send(*args)
        else:
            self.queue.append(args[1])

    async def close(self) -> None:
        self.is_closed = True

    def take(self) -> list[str]:
        """All packets that were sent, as the transport encodes them."""
        packets, self.queue = self.queue, []
        return [packet.encode() for packet in packets]

    async def accept(self) -> None:
        """Have the session send its first frame."""
        self.connection.push(EVENT)
        await until(lambda: len(self.queue) == 2, "the first frame is sent")
        connect, event = self.take()
        assert connect.startswith('40{"sid":"')
        assert event == '42["typing",{}]'


def as_sent(ref: str) -> msgspec.Raw:
    return msgspec.Raw(f'"{ref}"'.encode())


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    # A client that takes nothing would delay each close by two seconds.
    monkeypatch.setattr("realtime.session.transport.CLOSE_TIMEOUT_SECONDS", 0.05)
    client = Client()
    yield client
    await client.connection.drop(CloseCode.NORMAL, "")


async def test_answers_when_sent_then_are_acknowledgements(client: Client) -> None:
    await client.accept()
    client.connection.push(encode_reply(as_sent("7"), Empty()))
    client.connection.push(encode_error(Forbidden("No."), ref=as_sent("8"), request_id="c.1"))
    await until(lambda: len(client.queue) == 3, "the answers are sent")
    reply, event, answer = client.take()
    assert (reply, event[:20], answer[:13]) == ("437[{}]", '42["error:forbidden"', '438[{"error":')


async def test_events_when_many_wait_then_there_is_no_room_until_one_is_read(client: Client) -> None:
    for _ in range(READ_AHEAD_EVENTS):
        assert client.peer.has_room.is_set()
        client.peer.put(FRAME)
    assert not client.peer.has_room.is_set()
    assert await client.peer.receive() == FRAME
    assert client.peer.has_room.is_set()


async def test_leave_when_repeated_then_disconnects_once(client: Client) -> None:
    client.peer.leave()
    client.peer.leave()
    client.peer.put(FRAME)
    assert await client.peer.receive() == {"type": "websocket.disconnect"}
    assert client.peer._inbox.empty()


async def test_frames_when_the_client_has_left_then_are_not_sent(client: Client) -> None:
    """The client may connect again over the same transport, and would take them for the new session's."""
    await client.accept()
    client.peer.leave()
    client.connection.push(EVENT)
    await client.connection.finish(CloseCode.NORMAL, "")
    assert (client.queue, client.is_closed) == ([], False)


async def test_frames_when_the_client_takes_none_then_stay_in_the_outbox(client: Client) -> None:
    await client.accept()
    for _ in range(MAX_UNTAKEN_PACKETS + 2):
        client.connection.push(EVENT)
    transport = client.connection._transport
    await until(lambda: len(client.queue) == MAX_UNTAKEN_PACKETS, "the client's queue is full")
    assert transport.buffered_bytes() == 2 * len(EVENT)
    client.queue.pop(0).encode()
    await until(lambda: transport.buffered_bytes() == len(EVENT), "one more frame was sent")
    assert len(client.queue) == MAX_UNTAKEN_PACKETS


async def test_close_when_the_client_takes_nothing_then_is_still_sent(client: Client) -> None:
    await client.accept()
    for _ in range(MAX_UNTAKEN_PACKETS + 1):
        client.connection.push(EVENT)
    await until(lambda: len(client.queue) == MAX_UNTAKEN_PACKETS, "the client's queue is full")
    await client.connection.drop(CloseCode.SLOW_READER, "outbox full")
    assert client.take()[-1] == '42["close",{"code":4408,"reason":"outbox full"}]'
    assert client.is_closed


@pytest.mark.parametrize("code", [CloseCode.UNAUTHENTICATED, CloseCode.DEACTIVATED, CloseCode.TOO_BIG])
async def test_close_when_final_then_the_client_is_disconnected(code: CloseCode, client: Client) -> None:
    await client.accept()
    await client.connection.finish(code, "reason")
    assert client.take() == [f'42["close",{{"code":{int(code)},"reason":"reason"}}]', "41"]
    assert client.is_closed


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (CloseCode.UNAUTHENTICATED, "unauthenticated", "unauthenticated"),
        (CloseCode.UNAUTHENTICATED, "session ended", "unauthenticated"),
        (CloseCode.UNAUTHENTICATED, "token_expired", "token_expired"),
        (CloseCode.DEACTIVATED, "deactivated", "forbidden"),
    ],
)
async def test_close_when_before_ready_and_for_good_then_is_a_connect_error(
    code: CloseCode, reason: str, error: str, client: Client
) -> None:
    await client.connection.finish(code, reason)
    (packet,) = client.take()
    assert packet.startswith("44{")
    assert f'"code":"{error}"' in packet
    assert not client.peer.is_turned_away


@pytest.mark.parametrize("code", [CloseCode.RESTART, CloseCode.LIMITED, CloseCode.SLOW_READER])
async def test_close_when_before_ready_and_temporary_then_is_turned_away(
    code: CloseCode, client: Client
) -> None:
    await client.connection.finish(code, "for a moment")
    assert (client.take(), client.peer.is_turned_away) == ([], True)


async def test_refusal_when_temporary_then_is_no_connect_error(client: Client) -> None:
    for error in (Overloaded(), Unavailable(), Internal(), RateLimited(retry_after=1)):
        client.peer.is_turned_away = False
        await client.peer.refuse(error)
        assert (client.take(), client.peer.is_turned_away) == ([], True)
    client.peer.is_turned_away = False
    await client.peer.refuse(Unauthenticated())
    assert (client.take()[0][:3], client.peer.is_turned_away) == ("44{", False)
