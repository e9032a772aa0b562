"""Engine: the monitor's context, and the end of transports that have no client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import socketio
from engineio.async_socket import AsyncSocket
from engineio.packet import CLOSE, MESSAGE

from foundation import context, loop
from realtime.socketio import engine as module
from realtime.socketio.engine import Engine
from realtime.socketio.packets import CountedPacket

pytestmark = pytest.mark.once  # transports in memory


@pytest.fixture
async def server() -> AsyncIterator[Any]:
    loop.adopt()
    server: Any = socketio.AsyncServer(async_mode="asgi")
    yield server
    await server.shutdown()


def add_transport(server: Any, engine_sid: str) -> AsyncSocket:
    """A transport as a first poll makes it."""
    server.eio.sockets[engine_sid] = AsyncSocket(server.eio, engine_sid)
    return server.eio.sockets[engine_sid]


async def test_monitor_when_a_request_starts_it_then_names_no_request(server: Any) -> None:
    fields: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    monitor = server.eio._service_task

    async def noting_monitor() -> None:
        fields.set_result(context.log_fields())
        await monitor()

    server.eio._service_task = noting_monitor
    engine = Engine(server, has_client=lambda engine_sid: False)
    context.request_id.set("of-a-request")
    context.user_id.set("of-a-user")
    engine.start_monitor()
    assert await fields == {}
    task = server.eio.service_task_handle
    engine.start_monitor()
    assert server.eio.service_task_handle is task
    assert not server.eio.start_service_task


async def test_transport_when_no_client_logs_in_then_is_closed(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.001)
    engine = Engine(server, has_client=lambda engine_sid: engine_sid == "served")
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def note(engine_sid: str, reason: str) -> None:
        closed.set_result(engine_sid)

    engine.on_close(note)
    for engine_sid in ("served", "idle"):
        add_transport(server, engine_sid)
        engine.close_if_idle_later(engine_sid)
    assert await closed == "idle"
    await engine.close_all()
    assert not engine.is_open("idle")


async def test_close_when_packets_are_queued_then_they_come_first(server: Any) -> None:
    engine = Engine(server, has_client=lambda engine_sid: True)
    transport = add_transport(server, "a")
    await engine.send("a", CountedPacket("2[]", lambda: None))
    closing = asyncio.create_task(engine.close("a"))
    for kind in (MESSAGE, CLOSE):
        assert (await transport.queue.get()).packet_type == kind
        transport.queue.task_done()
    await closing
    assert transport.queue.get_nowait() is None
    assert not engine.is_open("a")
    await engine.close("a")


async def test_send_when_the_transport_has_closed_then_raises(server: Any) -> None:
    engine = Engine(server, has_client=lambda engine_sid: True)
    assert not engine.is_open("a")
    with pytest.raises(ConnectionResetError):
        await engine.send("a", CountedPacket("2[]", lambda: None))
