"""SocketIo: Socket.IO clients on the same sessions, services and hub as those at /ws/chat/.

Each client is a Connection whose frames are sent as Socket.IO events. The answer to an event is its
acknowledgement; an error is also sent as the event `error:<code>`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from foundation import context, loop
from foundation.errors import RateLimited
from realtime.servers.uvicorn_http import ON_SHUTDOWN
from realtime.session.connect_limits import user_refusal
from realtime.session.handlers import EventRegistry
from realtime.session.session import ConnectionSession
from realtime.wire.close_codes import CloseCode, CloseSocket

from .client import Client
from .engine import Engine
from .peer import Peer
from .polling import Receive, answer_poll
from .refusal import refuse_handshake

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
        self._clients: dict[str, Client] = {}
        # Of transports that have closed.
        self._leaving: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Task[None] | None = None
        # The handshake carries whole seconds.
        ping_seconds = max(1, round(ping_seconds))
        self._engine = Engine(
            opened=self._opened,
            received=self._received,
            closed=self._closed,
            has_client=self._has_client,
            ping_interval=ping_seconds,
            ping_timeout=ping_seconds,
            max_http_buffer_size=max_frame_bytes,
            cors_allowed_origins=lambda origin, environ: allows_origin(environ["asgi.scope"]),
        )

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        self._engine.start_monitor()
        if "state" in scope:
            # A poll that waits for packets would delay the server's shutdown.
            scope["state"][ON_SHUTDOWN] = self.begin_stop
        if isinstance(error := scope.get("auth_error"), RateLimited):
            await refuse_handshake(error, scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "GET":
            await answer_poll(self._engine.handle_request, scope, receive, send)
            return
        await self._engine.handle_request(scope, receive, send)

    def begin_stop(self) -> asyncio.Task[None]:
        """Close every client with 1012, then end this server's tasks; safe to repeat. Await the returned task."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="socket.io-stop")
        return self._stopping

    async def _stop(self) -> None:
        for client in self._clients.values():
            client.close(CloseCode.RESTART, "restart")
        served = {client.task for client in self._clients.values() if client.task is not None}
        if tasks := served | self._leaving:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        await self._engine.close_all()
        await loop.cancel(*tasks)
        await self._engine.stop()

    def _opened(self, engine_sid: str, scope: Any) -> None:
        self._clients[engine_sid] = Client(self._engine, engine_sid, scope, self._serve)

    async def _received(self, engine_sid: str, packet: str | CloseSocket) -> None:
        if client := self._clients.get(engine_sid):
            await client.receive(packet)

    def _closed(self, engine_sid: str) -> None:
        if client := self._clients.pop(engine_sid, None):
            client.leave()
            if client.task is not None:
                self._leaving.add(client.task)
                client.task.add_done_callback(self._leaving.discard)

    def _has_client(self, engine_sid: str) -> bool:
        client = self._clients.get(engine_sid)
        return client is not None and client.is_served

    async def _serve(self, peer: Peer) -> None:
        scope = await self._authenticated(peer)
        if error := scope.get("auth_error") or await user_refusal(scope["identity"].user_id):
            await peer.refuse(error)
            return
        connection = peer.open_connection(scope["identity"])
        context.connection_id.set(connection.id)
        context.user_id.set(str(connection.user_id))
        await ConnectionSession(connection, self._registry, route="socket.io/").run(peer.receive)

    async def _authenticated(self, peer: Peer) -> Any:
        """The scope with the identity of the token in `auth`, if there is one; else the handshake's own."""
        scope, token = peer.scope, peer.auth.get("token")
        if token and isinstance(token, str):
            scope = {key: scope[key] for key in scope if key not in ("identity", "auth_error")}
            await self._authenticate(scope, token.removeprefix("Bearer "))
        return scope
