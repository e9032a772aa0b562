"""ConnectionSession: the gauge of open sockets, the order of consumers, and controls."""

import asyncio
import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from foundation import context, times
from foundation.ids import uuid7
from realtime.session.connection import Connection, Identity
from realtime.session.handlers import EventConsumer, EventRegistry, on_control
from realtime.session.session import ConnectionSession
from realtime.wire.close_codes import CloseCode, CloseSocket
from tests.kit.connections import Peer


class BrokenPeer(Peer):
    """A peer whose transport raises when it is closed, as a server's may if its socket is gone."""

    def closed_with(self) -> None:
        pass

    async def close(self, code: CloseCode, reason: str) -> None:
        raise OSError("the socket is gone")

    drop = close


def open_sockets() -> float:
    return REGISTRY.get_sample_value("chat_sockets") or 0.0


async def disconnect() -> dict[str, Any]:
    return {"type": "websocket.disconnect"}


async def test_open_sockets_when_closing_the_transport_raises_then_are_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    identity = Identity(uuid7(), uuid7(), times.now())
    connection = Connection(identity=identity, device_id=None, transport=BrokenPeer())  # type: ignore[arg-type]
    before = open_sockets()
    with caplog.at_level("INFO", "chat.access"), pytest.raises(OSError, match="gone"):
        await ConnectionSession(connection, EventRegistry([])).run(disconnect)
    assert open_sockets() == before
    assert [record.message for record in caplog.records if record.name == "chat.access"] == ["socket"]


async def test_open_sockets_when_serving_is_cancelled_then_are_right() -> None:
    identity = Identity(uuid7(), uuid7(), times.now())
    connection = Connection(identity=identity, device_id=None, transport=BrokenPeer())  # type: ignore[arg-type]
    before = open_sockets()
    silent = asyncio.Event()
    serving = asyncio.create_task(ConnectionSession(connection, EventRegistry([])).run(silent.wait))
    # One turn of the event loop, in which the session begins.
    await asyncio.sleep(0)
    assert open_sockets() == before + 1
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert open_sockets() == before


class First(EventConsumer):
    """Notes what happens in `calls`. The tests set `refusal` to have the second consumer refuse the connection."""

    calls: list[str] = []
    refusal: CloseSocket | None = None

    async def connected(self) -> dict[str, Any]:
        self.calls.append("first connected")
        return {"rooms": {"r": 1}}

    async def disconnected(self) -> None:
        self.calls.append("first disconnected")
        raise RuntimeError("cannot disconnect")


class Second(First):
    async def connected(self) -> dict[str, Any]:
        self.calls.append("second connected")
        if First.refusal is not None:
            raise First.refusal
        return {}

    async def disconnected(self) -> None:
        self.calls.append("second disconnected")

    @on_control("test:note")
    async def note(self, data: dict[str, Any]) -> None:
        self.calls.append(f"control {data['n']} for {context.user_id.get()}")
        if data["n"] == 2:
            raise ZeroDivisionError
        if data["n"] == 3:
            raise CloseSocket(CloseCode.DEACTIVATED, "banned")


class ClosablePeer(Peer):
    """A peer that notes the code it was closed with."""

    code: CloseCode | None = None

    def closed_with(self) -> None:
        pass

    async def close(self, code: CloseCode, reason: str) -> None:
        self.code = code

    drop = close


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(First, "calls", calls)
    return calls


def connect() -> tuple[Connection, ClosablePeer]:
    peer, identity = ClosablePeer(), Identity(uuid7(), uuid7(), times.now())
    return Connection(identity=identity, device_id=None, transport=peer), peer  # type: ignore[arg-type]


async def test_session_when_the_peer_leaves_then_disconnects_in_reverse(
    calls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    connection, peer = connect()
    await ConnectionSession(connection, EventRegistry([First, Second])).run(disconnect)
    assert calls == ["first connected", "second connected", "second disconnected", "first disconnected"]
    assert "First could not disconnect cleanly" in caplog.messages
    (ready,) = [json.loads(payload) for payload in peer.payloads]
    assert (ready["event"], ready["data"]["rooms"], peer.code) == ("ready", {"r": 1}, CloseCode.NORMAL)


async def test_session_when_a_consumer_refuses_then_closes_without_ready(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(First, "refusal", CloseSocket(CloseCode.LIMITED, "too many"))
    connection, peer = connect()
    await ConnectionSession(connection, EventRegistry([First, Second])).run(disconnect)
    assert calls[2:] == ["second disconnected", "first disconnected"]
    assert (peer.payloads, peer.code) == ([], CloseCode.LIMITED)


async def test_controls_when_one_fails_then_the_next_run_until_one_closes(calls: list[str]) -> None:
    connection, peer = connect()
    context.user_id.set("of-the-connection")
    session = ConnectionSession(connection, EventRegistry([First, Second]))
    context.user_id.set("of-the-sender")
    for n in (1, 2, 3):
        connection.add_control("test:note", {"n": n})
    await session.run(asyncio.Event().wait)
    assert calls[2:5] == [f"control {n} for of-the-connection" for n in (1, 2, 3)]
    assert peer.code is CloseCode.DEACTIVATED
