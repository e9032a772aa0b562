"""The private parts of uvicorn, websockets and python-socketio that realtime/servers/ and realtime/socketio/ use.

Our code was written against the pinned versions. If a test fails here, a library changed: read its diff.
"""

import inspect
import re
from importlib.metadata import version
from typing import Any

import engineio
import engineio.base_socket
import engineio.packet
import engineio.payload
import pytest
import socketio
import socketio.packet
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from realtime.servers.uvicorn_http import ChatHttpProtocol
from realtime.servers.uvicorn_reading import ReadingProtocol
from realtime.servers.uvicorn_websocket import ChatProtocol
from realtime.socketio.packets import CountedPacket, TextPacket
from tests.kit.paths import ROOT

PINNED = ("uvicorn", "httptools", "websockets", "python-socketio", "python-engineio")
OVERRIDDEN: list[tuple[type, str]] = [
    *((ChatHttpProtocol, name) for name in (
        "connection_made", "connection_lost", "data_received", "on_message_begin", "on_headers_complete",
        "on_body", "on_message_complete", "shutdown", "_should_upgrade",
    )),
    *((ReadingProtocol, name) for name in (
        "connection_lost", "data_received", "handle_cont", "handle_ping", "handle_pong",
        "send_receive_event_to_app", "receive",
    )),
    *((ChatProtocol, name) for name in (
        "connection_made", "handle_connect", "start_keepalive", "handle_close", "keepalive_timeout", "shutdown",
    )),
    (TextPacket, "decode"),
    (CountedPacket, "encode"),
]  # fmt: skip


@pytest.mark.parametrize("package", PINNED)
def test_pin_when_compared_with_the_installed_package_then_is_equal(package: str) -> None:
    requirements = (ROOT / "requirements.in").read_text()
    assert re.findall(rf"^{package}==(.+)$", requirements, re.M) == [version(package)]


@pytest.mark.parametrize(("ours", "name"), OVERRIDDEN)
def test_method_when_overridden_then_the_library_has_it(ours: type, name: str) -> None:
    assert name in vars(ours)
    base = getattr(ours.__mro__[1], name)
    assert list(inspect.signature(getattr(ours, name)).parameters) == list(inspect.signature(base).parameters)


async def test_http_protocol_when_made_then_has_what_is_used() -> None:
    state = uvicorn.server.ServerState()
    config = uvicorn.Config(lambda scope, receive, send: None, interface="asgi3", log_config=None)
    protocol = ChatHttpProtocol(config=config, server_state=state, app_state={})
    assert {"parser", "pipeline", "cycle", "headers", "timeout_keep_alive_task"} <= set(vars(protocol))
    assert callable(protocol._unset_keepalive_if_required)
    assert callable(protocol.handle_websocket_upgrade)
    cycle = inspect.getsource(RequestResponseCycle)
    for attribute in ("keep_alive", "disconnected", "message_event", "response_started", "response_complete"):
        assert f"self.{attribute} = " in cycle


def test_engine_server_when_made_then_has_what_the_engine_uses() -> None:
    server: Any = socketio.AsyncServer(async_mode="asgi")
    engine = server.eio
    assert (engine.sockets, engine.start_service_task, engine.service_task_handle) == ({}, True, None)
    assert set(engine.handlers) == {"connect", "disconnect", "message"}
    assert all(
        inspect.iscoroutinefunction(method)
        for method in (
            engine._service_task, engine.disconnect, engine.send_packet, *engine.handlers.values(),
        )
    )  # fmt: skip
    assert callable(server.manager.eio_sid_from_sid)
    assert hasattr(engineio.base_socket.BaseSocket(engine, "sid").queue, "put_nowait")
    assert isinstance(engineio.payload.Payload.max_decode_packets, int)


def test_packets_when_made_then_have_the_attributes_that_are_set() -> None:
    packet = socketio.packet.Packet(socketio.packet.EVENT, data=["a", {}])
    assert {"packet_type", "data", "namespace", "id"} <= set(vars(packet))
    assert socketio.packet.Packet.uses_binary_events is True
    assert engineio.packet.packet_names == ["OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP"]


def test_websockets_when_used_then_has_what_the_protocol_calls() -> None:
    parser = ServerProtocol()
    assert (parser.reader.buffer, parser.current_size, parser.parser_exc) == (bytearray(), None, None)
    assert isinstance(parser.state, State)
    assert callable(parser.send_close)
    assert callable(parser.data_to_send)
    assert "headers" in inspect.signature(Request).parameters
