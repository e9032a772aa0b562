"""Engine: the monitor's context, and the end of transports that have no client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from engineio.packet import CLOSE, MESSAGE

from foundation import context, loop
from realtime.socketio import engine as module
from realtime.socketio.engine import Engine
from realtime.socketio.engine_transport import EngineTransport
from realtime.socketio.packets import CountedPacket
from realtime.wire.close_codes import CloseSocket

pytestmark = pytest.mark.once  # transports in memory


class Served:
    """An engine, and what it tells the endpoint. The client of the transport "served" is being served."""

    def __init__(self) -> None:
        self.closed: asyncio.Queue[str] = asyncio.Queue()
        self.engine = Engine(
            opened=lambda engine_sid, scope: None,
            received=self.receive,
            closed=self.closed.put_nowait,
            has_client=lambda engine_sid: engine_sid == "served",
        )
        self.server: Any = self.engine._server

    async def receive(self, engine_sid: str, packet: str | CloseSocket) -> None:
        raise AssertionError

    def add_transport(self, engine_sid: str) -> EngineTransport:
        """A transport as a first poll makes it."""
        transport = self.server.sockets[engine_sid] = EngineTransport(self.server, engine_sid)
        return transport


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    loop.adopt()
    served = Served()
    yield served
    await served.engine.stop()


async def test_monitor_when_a_request_starts_it_then_names_no_request(served: Served) -> None:
    fields: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    monitor = served.server._service_task

    async def noting_monitor() -> None:
        fields.set_result(context.log_fields())
        await monitor()

    served.server._service_task = noting_monitor
    context.request_id.set("of-a-request")
    context.user_id.set("of-a-user")
    served.engine.start_monitor()
    assert await fields == {}
    task = served.server.service_task_handle
    served.engine.start_monitor()
    assert served.server.service_task_handle is task
    assert not served.server.start_service_task


async def test_transport_when_no_client_logs_in_then_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.001)
    for engine_sid in ("served", "idle"):
        served.add_transport(engine_sid)
        served.engine.close_if_idle_later(engine_sid)
    assert await served.closed.get() == "idle"
    assert not served.engine.is_open("idle")
    assert served.engine.is_open("served")
    await served.engine.close_all()
    assert not served.engine.is_open("served")


async def test_close_when_packets_are_queued_then_they_are_taken_first(served: Served) -> None:
    transport = served.add_transport("a")
    await served.engine.send("a", CountedPacket("2[]", lambda: None))
    closing = asyncio.create_task(served.engine.close("a"))
    # A client that polls would handle a CLOSE before other packets of the same answer.
    assert [packet.packet_type for packet in await transport.poll()] == [MESSAGE]
    await closing
    assert [packet.packet_type for packet in await transport.poll()] == [CLOSE]
    assert transport.queue.get_nowait() is None
    assert not served.engine.is_open("a")
    await served.engine.close("a")


async def test_close_when_the_client_takes_nothing_then_closes_in_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.001)
    served.add_transport("a")
    await served.engine.send("a", CountedPacket("2[]", lambda: None))
    served.engine.close_soon("a")
    assert await served.closed.get() == "a"
    assert not served.engine.is_open("a")


async def test_send_when_the_transport_has_closed_then_raises(served: Served) -> None:
    assert not served.engine.is_open("a")
    with pytest.raises(ConnectionResetError):
        await served.engine.send("a", CountedPacket("2[]", lambda: None))
