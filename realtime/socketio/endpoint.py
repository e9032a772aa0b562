"""SocketIo: Socket.IO clients on the same sessions, services and hub as those at /ws/chat/.

Each client is a Connection whose frames are sent as Socket.IO events. The answer to an event is its
acknowledgement; an error is also sent as the event `error:<code>`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused

from foundation import context, loop
from realtime.servers.uvicorn_http import ON_SHUTDOWN
from realtime.session.handlers import EventRegistry
from realtime.session.session import ConnectionSession
from realtime.wire.close_codes import CloseCode

from .engine import Engine
from .packets import TextPacket, is_engine_text
from .peer import Peer
from .polling import Receive, answer_poll

logger = logging.getLogger(__name__)

STOP_SECONDS = 1.0

Authenticate = Callable[[dict[str, Any], str | None], Awaitable[None]]


class SocketIo:
    """The Socket.IO server of this process, an ASGI application for /socket.io/.

    `authenticate(scope, token)` sets `scope["identity"]` or `scope["auth_error"]`. `allows_origin(scope)` says
    whether a page of the scope's Origin may connect.
    """

    def __init__(
        self,
        registry: EventRegistry,
        *,
        authenticate: Authenticate,
        allows_origin: Callable[[Any], bool],
        ping_seconds: float,
        max_frame_bytes: int,
    ) -> None:
        self._registry = registry
        self._authenticate = authenticate
        self._peers: dict[str, Peer] = {}
        self._stopping: asyncio.Task[None] | None = None
        # The handshake carries whole seconds.
        ping_seconds = max(1, round(ping_seconds))
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            # A client's events are handled one after the other, as the frames of any connection are.
            async_handlers=False,
            serializer=TextPacket,
            ping_interval=ping_seconds,
            ping_timeout=ping_seconds,
            max_http_buffer_size=max_frame_bytes,
            cors_allowed_origins=lambda origin, environ: allows_origin(environ["asgi.scope"]),
        )
        self._server.on("connect", self._connect)
        self._server.on("*", self._event)
        self._server.on("disconnect", self._disconnect)
        self._engine = Engine(self._server, has_client=self._peers.__contains__)
        self._engine.on_close(self._transport_closed)

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        self._engine.start_monitor()
        if "state" in scope:
            # A poll that waits for packets would delay the server's shutdown.
            scope["state"][ON_SHUTDOWN] = self.begin_stop
        if scope["type"] == "websocket":
            await self._server.handle_request(scope, _only_packets(receive), send)
        elif scope["method"] == "GET":
            await answer_poll(self._server.handle_request, scope, receive, send)
        else:
            await self._server.handle_request(scope, receive, send)

    def begin_stop(self) -> asyncio.Task[None]:
        """Close every client with 1012, then end this server's tasks; safe to repeat. Await the returned task."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="socket.io-stop")
        return self._stopping

    async def _stop(self) -> None:
        for peer in list(self._peers.values()):
            peer.connection.close(CloseCode.RESTART, "restart")
        tasks = [peer.task for peer in self._peers.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        await self._engine.close_all()
        await loop.cancel(*tasks)
        await self._server.shutdown()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Accept a client when its session sends the first frame. A bad token, or a consumer that closes the
        connection (because of a limit or a ban), refuses it."""
        scope = await self._authenticated(environ["asgi.scope"], auth)
        if error := scope.get("auth_error"):
            raise Refused(error.message, error.as_data(request_id=None))
        engine_sid = self._engine_sid(sid)
        peer = Peer(self._server, self._engine, sid=sid, engine_sid=engine_sid, scope=scope)
        self._peers[engine_sid] = peer
        peer.task = asyncio.create_task(self._serve(peer), name="socket.io")
        started = asyncio.create_task(peer.started.wait())
        await asyncio.wait([started, peer.task], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if not peer.started.is_set():
            code, reason = peer.connection.closing or (CloseCode.RESTART, "")
            raise Refused(reason or "refused", {"code": reason or "refused", "closeCode": int(code)})
        # python-socketio sends CONNECT as soon as this returns; `ready` waits for the loop's next turn.
        asyncio.get_running_loop().call_soon(peer.accepted.set)

    async def _authenticated(self, scope: Any, auth: Any) -> Any:
        """The scope with the identity of the token in `auth`, if there is one; else the handshake's own."""
        token = auth.get("token") if isinstance(auth, dict) else None
        if token and isinstance(token, str):
            scope = {key: scope[key] for key in scope if key not in ("identity", "auth_error")}
            await self._authenticate(scope, token.removeprefix("Bearer "))
        return scope

    async def _event(self, event: str, sid: str, *data: Any) -> Any:
        """Return the acknowledgement of a client's event. Several arguments become one list, none become `{}`."""
        peer = self._peers.get(self._engine_sid(sid))
        if peer is None:
            return None
        return await peer.ask(event, (data[0] if len(data) == 1 else list(data)) if data else {})

    async def _disconnect(self, sid: str, reason: str) -> None:
        await self._transport_closed(self._engine_sid(sid), reason)

    async def _transport_closed(self, engine_sid: str, reason: str) -> None:
        if peer := self._peers.get(engine_sid):
            peer.leave()

    async def _serve(self, peer: Peer) -> None:
        context.connection_id.set(peer.connection.id)
        context.user_id.set(str(peer.connection.user_id))
        try:
            session = ConnectionSession(peer.connection, self._registry, route="socket.io/")
            await session.run(peer.receive)
        finally:
            peer.end()
            del self._peers[peer.engine_sid]
            self._engine.close_if_idle_later(peer.engine_sid)

    def _engine_sid(self, sid: str) -> str:
        return self._server.manager.eio_sid_from_sid(sid, "/")


def _only_packets(receive: Receive) -> Receive:
    """Treat a WebSocket message that is not an Engine.IO packet as a disconnect."""

    async def receive_packet() -> Any:
        message = await receive()
        if message["type"] == "websocket.receive" and not is_engine_text(message):
            return {"type": "websocket.disconnect", "code": 1003}
        return message

    return receive_packet
