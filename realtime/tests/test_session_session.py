"""One connection's session, served over a transport in the test's process."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from foundation import times
from foundation.ids import uuid7
from realtime.session.connection import Connection, Identity
from realtime.session.handlers import EventRegistry
from realtime.session.session import ConnectionSession
from realtime.wire.close_codes import CloseCode
from tests.kit.connections import Peer


class BrokenPeer(Peer):
    """Its end raises, as a server's may whose socket is gone."""

    async def close(self, code: CloseCode, reason: str) -> None:
        raise OSError("the socket is gone")

    drop = close


def open_sockets() -> float:
    return REGISTRY.get_sample_value("chat_sockets") or 0.0


async def disconnect() -> dict[str, Any]:
    return {"type": "websocket.disconnect"}


async def test_open_sockets_when_the_transports_end_raises_then_are_right(
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
