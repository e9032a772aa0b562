"""Peer: one session of a Socket.IO client. Its events become frames, and frames become its events."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from foundation.errors import ERRORS, ChatError, Forbidden, RateLimited, Unauthenticated
from foundation.ids import uuid7
from realtime.servers.compact import CompactEvent, CompactQueue
from realtime.session.connection import Connection
from realtime.session.device_id import device_id_of
from realtime.session.frame_limit import FrameLimiter
from realtime.session.transport import AsgiTransport
from realtime.wire.close_codes import CloseCode

from .outlet import Outlet
from .packets import (
    Outgoing,
    connect_error_packet,
    connect_packet,
    decode_outgoing,
    disconnect_packet,
    packets_of,
)

# Beyond these, no more of the client is read, as on the plain socket.
READ_AHEAD_EVENTS = 16

# After these the client has to do something before it connects again. After all others it reconnects by itself.
FINAL = {CloseCode.UNAUTHENTICATED, CloseCode.DEACTIVATED, CloseCode.TOO_BIG}

Serve = Callable[["Peer"], Awaitable[None]]


class Peer:
    """`scope` is the one of the handshake and `auth` the data of the CONNECT. `limiter` counts all frames of the
    client.

    `serve(peer)` authenticates the client and runs its session, with `receive` and the connection of
    `open_connection`. The CONNECT is answered when the session sends its first frame: then no consumer has refused
    the client.
    """

    def __init__(self, outlet: Outlet, scope: Any, auth: dict[str, Any], limiter: FrameLimiter) -> None:
        self.scope = scope
        self.auth = auth
        self.has_left = False
        # Refused for a reason that passes.
        self.is_turned_away = False
        self.has_room = CompactEvent(is_set=True)
        self._outlet = outlet
        self._limiter = limiter
        self._connection: Connection | None = None
        self._inbox = CompactQueue()
        self._is_accepted = False

    async def serve(self, serve: Serve) -> None:
        if not self.has_left:
            await serve(self)

    def open_connection(self, identity: Any) -> Connection:
        """The connection of the session that is about to run."""
        self._connection = Connection(
            identity=identity,
            device_id=device_id_of(self.scope),
            transport=AsgiTransport(self._send),
            limiter=self._limiter,
        )
        return self._connection

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive` for the session."""
        message: dict[str, Any] = await self._inbox.get()
        if self._inbox.qsize() < READ_AHEAD_EVENTS:
            self.has_room.set()
        return message

    def put(self, message: dict[str, Any]) -> None:
        """Have the session receive a frame. The caller waits for `has_room` first."""
        if self.has_left:
            return
        self._inbox.put_nowait(message)
        if self._inbox.qsize() >= READ_AHEAD_EVENTS:
            self.has_room.clear()

    def leave(self) -> None:
        """Tell the session that the client has disconnected; safe to repeat."""
        if not self.has_left:
            self.has_left = True
            self._inbox.put_nowait({"type": "websocket.disconnect"})

    def close(self, code: CloseCode, reason: str) -> bool:
        """Close the session, if there is one that can still tell the client so."""
        if self._connection is None or self.has_left:
            return False
        self._connection.close(code, reason)
        return True

    def end(self) -> None:
        """The session has ended: its events are answered no more, and the client may connect again."""
        self.has_left = True
        self.has_room.set()

    async def refuse(self, error: ChatError, close_code: CloseCode | None = None) -> None:
        """Answer the CONNECT with `error`; if it is temporary, the transport is closed instead, because the stock
        client never connects again after a `connect_error`."""
        if error.temporary or isinstance(error, RateLimited):
            self.is_turned_away = True
        elif not self.has_left:
            with suppress(ConnectionResetError):
                await self._outlet.send(connect_error_packet(error, close_code=close_code))

    async def _send(self, message: dict[str, Any]) -> None:
        """ASGI's `send` for the outbox. Waits while the client does not take its packets."""
        if message["type"] == "websocket.close":
            return await self._close(CloseCode(message["code"]), message["reason"])
        if self.has_left:
            return None
        if not self._is_accepted:
            self._is_accepted = True
            await self._outlet.send(connect_packet(str(uuid7())))
        for packet in packets_of(decode_outgoing(message["text"])):
            await self._outlet.send(packet)
        return None

    async def _close(self, code: CloseCode, reason: str) -> None:
        if self.has_left:
            # The transport has closed, or the client may connect again over it.
            return
        if not self._is_accepted:
            await self._refuse_closed(code, reason)
            return
        data = msgspec.json.encode({"code": int(code), "reason": reason})
        # The close has to be sent even to a client that takes nothing.
        (packet,) = packets_of(Outgoing(event="close", data=msgspec.Raw(data)))
        await self._outlet.send_now(packet)
        if code in FINAL:
            await self._outlet.send_now(disconnect_packet())
        await self._outlet.close()

    async def _refuse_closed(self, code: CloseCode, reason: str) -> None:
        """A consumer has closed the connection before its first frame."""
        if code is CloseCode.UNAUTHENTICATED:
            await self.refuse(ERRORS.get(reason, Unauthenticated)(), code)
        elif code is CloseCode.DEACTIVATED:
            await self.refuse(Forbidden("This account is deactivated."), code)
        else:
            self.is_turned_away = True
