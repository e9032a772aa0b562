"""AsgiTransport: an outbox over ASGI's `send`."""

import asyncio
from typing import Any

import pytest

from realtime.session import transport as module
from realtime.session.transport import AsgiTransport
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

pytestmark = pytest.mark.once  # messages in memory


class Server:
    """ASGI's `send`: it waits while `reads` is not set, and raises `error` if there is one."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.error: Exception | None = None

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await self.reads.wait()
        if self.error is not None:
            raise self.error
        self.messages.append(message)

    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages if "text" in message]


@pytest.fixture
async def server() -> Server:
    return Server()


def frames(*payloads: bytes) -> list[Frame]:
    return [Frame(payload) for payload in payloads]


async def test_write_when_the_peer_does_not_read_then_its_bytes_are_counted(server: Server) -> None:
    transport = AsgiTransport(server.send)
    transport.write(frames(b"one", b"three"))
    assert transport.buffered_bytes() == 8
    drained = asyncio.create_task(transport.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    server.reads.set()
    await drained
    assert (server.texts(), transport.buffered_bytes()) == (["one", "three"], 0)
    await transport.drop(CloseCode.NORMAL, "")


async def test_close_when_frames_are_queued_then_they_come_before_the_close(server: Server) -> None:
    server.reads.set()
    transport = AsgiTransport(server.send)
    transport.write(frames(b"last words"))
    await transport.close(CloseCode.RESTART, "restart")
    assert server.messages == [
        {"type": "websocket.send", "text": "last words"},
        {"type": "websocket.close", "code": 1012, "reason": "restart"},
    ]


async def test_close_when_the_peer_does_not_read_then_goes_on_without_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_TIMEOUT_SECONDS", 0.01)
    transport = AsgiTransport(server.send)
    transport.write(frames(b"unread"))
    await transport.close(CloseCode.RESTART, "restart")
    assert [message["type"] for message in server.messages] == ["websocket.close"]
    assert transport.buffered_bytes() == 0


async def test_drop_when_frames_are_queued_then_they_are_not_sent(server: Server) -> None:
    transport = AsgiTransport(server.send)
    transport.write(frames(b"unread"))
    await transport.drop(CloseCode.SLOW_READER, "outbox full")
    assert server.messages == [{"type": "websocket.close", "code": 4408, "reason": "outbox full"}]


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("closed already")])
async def test_drained_when_the_peer_has_left_then_returns(server: Server, error: Exception) -> None:
    server.reads.set()
    server.error = error
    transport = AsgiTransport(server.send)
    transport.write(frames(b"x"))
    await transport.drained()
    await transport.drop(CloseCode.NORMAL, "")
