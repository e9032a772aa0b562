"""Client: Socket.IO's protocol over one transport. A CONNECT begins a session, and a DISCONNECT ends it.

Sessions follow one another on the transport; a packet that has no place in this ends the transport, as on
Socket.IO's own server.
"""

import asyncio
import logging
import random
from typing import Any

from foundation.errors import NotFound
from realtime.wire.close_codes import CloseCode, CloseSocket

from .engine import Engine
from .outlet import Outlet
from .packets import (
    Incoming,
    Kind,
    connect_error_packet,
    read_auth,
    read_packet,
    request_message,
)
from .peer import Peer, Serve

logger = logging.getLogger(__name__)

# A client that was refused for a moment would come back within a second or so, at the same time as all others.
REFUSED_SECONDS = 4.0
_random = random.SystemRandom()


class Client:
    """`scope` is the handshake's, with the identity of its own token, if it has one."""

    def __init__(self, engine: Engine, engine_sid: str, scope: Any, serve: Serve) -> None:
        self.task: asyncio.Task[None] | None = None
        self._engine = engine
        self._engine_sid = engine_sid
        self._scope = scope
        self._serve = serve
        self._limiter = engine.limiter_of(engine_sid)
        self._outlet = Outlet(engine, engine_sid)
        self._peer: Peer | None = None
        # A POST may come while the events of another one wait.
        self._turn = asyncio.Lock()

    @property
    def is_served(self) -> bool:
        return self.task is not None and not self.task.done()

    async def receive(self, packet: str | CloseSocket) -> None:
        """Handle a packet, or close the session as CloseSocket says. Returns later if the session has many events
        to handle, so that the transport reads no further."""
        async with self._turn:
            try:
                if isinstance(packet, CloseSocket):
                    self._close_session(packet)
                else:
                    await self._handle(read_packet(packet))
            except (ValueError, ConnectionResetError):
                self.end()

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the session, and the transport after it."""
        if self._peer is not None:
            self._peer.close(code, reason)

    def leave(self) -> None:
        """End the session: the transport has closed, or is about to."""
        if self._peer is not None:
            self._peer.leave()

    def end(self) -> None:
        """End the session and the transport. The stock client connects again by itself."""
        self.leave()
        self._engine.close_soon(self._engine_sid)

    async def _handle(self, packet: Incoming) -> None:
        if packet.namespace != "/":
            await self._refuse_namespace(packet)
        elif packet.kind is Kind.CONNECT:
            self._connect(read_auth(packet.payload))
        elif packet.kind is Kind.DISCONNECT:
            self.leave()
        elif packet.kind is Kind.EVENT:
            await self._ask(packet)
        # This server asks for no acknowledgements, so an ACK answers nothing.

    async def _refuse_namespace(self, packet: Incoming) -> None:
        if packet.kind is Kind.EVENT:
            raise ValueError("an event before CONNECT")
        if packet.kind is Kind.CONNECT:
            error = NotFound("There is only the namespace /.")
            if not await self._outlet.send_if_room(connect_error_packet(error, namespace=packet.namespace)):
                raise ValueError("the client does not take its answers")

    def _connect(self, auth: dict[str, Any]) -> None:
        if self._peer is not None and not self._peer.has_left:
            raise ValueError("a second CONNECT")
        # Takes the place of a session that was left before it began.
        self._peer = Peer(self._outlet, self._scope, auth, self._limiter)
        if not self.is_served:
            self.task = asyncio.create_task(self._run(), name="socket.io")

    async def _ask(self, packet: Incoming) -> None:
        peer = self._peer
        if peer is None or peer.has_left:
            raise ValueError("an event before CONNECT")
        if not peer.has_room.is_set():
            await self._engine.wait_paused(self._engine_sid, peer.has_room)
        peer.put(request_message(packet))

    def _close_session(self, close: CloseSocket) -> None:
        if self._peer is None or not self._peer.close(close.code, close.reason):
            raise ValueError("there is no session to tell")

    async def _run(self) -> None:
        """Serve one session after the other. A client that has left one may already have asked for the next."""
        served: Peer | None = None
        while self._peer is not None and self._peer is not served:
            served = self._peer
            try:
                await served.serve(self._serve)
            except Exception:
                logger.exception("a Socket.IO client could not be served")
                served.is_turned_away = True
            finally:
                served.end()
        turned_away = served is not None and served.is_turned_away
        self._engine.close_if_idle_later(
            self._engine_sid, _random.uniform(0, REFUSED_SECONDS) if turned_away else None
        )
