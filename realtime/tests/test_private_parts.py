"""The private parts of uvicorn, websockets and python-engineio that realtime/servers/ and realtime/socketio/ use.

Our code was written against the pinned versions. If a test fails here, a library changed: read its diff.
"""

import inspect
import re
from importlib.metadata import version
from typing import Any

import engineio
import engineio.async_server
import engineio.async_socket
import engineio.packet
import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

import realtime.socketio.engine  # noqa: F401 - puts our class in place
from realtime.servers.uvicorn_http import ChatHttpProtocol
from realtime.servers.uvicorn_reading import ReadingProtocol
from realtime.servers.uvicorn_websocket import ChatProtocol
from realtime.socketio.engine_transport import EngineTransport
from realtime.socketio.packets import CountedPacket
from tests.kit.paths import ROOT

PINNED = ("uvicorn", "httptools", "websockets", "python-engineio")
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
    *((EngineTransport, name) for name in (
        "poll", "check_ping_timeout", "send", "receive", "handle_post_request", "_upgrade_websocket",
        "_websocket_handler",
    )),
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
    server: Any = engineio.AsyncServer(async_mode="asgi")
    assert (server.sockets, server.start_service_task, server.service_task_handle) == ({}, True, None)
    assert all(
        inspect.iscoroutinefunction(method)
        for method in (server._service_task, server.send_packet, server.handle_request, server.shutdown)
    )
    assert {"max_http_buffer_size", "ping_interval", "handlers"} <= vars(server).keys()


def test_engine_server_when_it_makes_a_transport_then_it_is_ours() -> None:
    assert engineio.async_server.async_socket is engineio.async_socket
    assert engineio.async_socket.AsyncSocket is EngineTransport
    made = EngineTransport(engineio.AsyncServer(async_mode="asgi"), "sid")
    assert {"queue", "last_ping", "connected", "upgraded", "closed"} <= vars(made).keys()


def test_packets_when_named_then_have_the_numbers_of_the_protocol() -> None:
    assert engineio.packet.packet_names == ["OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP"]


def test_websockets_when_used_then_has_what_the_protocol_calls() -> None:
    parser = ServerProtocol()
    assert (parser.reader.buffer, parser.current_size, parser.parser_exc) == (bytearray(), None, None)
    assert isinstance(parser.state, State)
    assert callable(parser.send_close)
    assert callable(parser.data_to_send)
    assert isinstance(parser.max_message_size, int)
    assert (parser.close_sent, parser.close_rcvd_then_sent) == (None, None)
    assert "headers" in inspect.signature(Request).parameters
