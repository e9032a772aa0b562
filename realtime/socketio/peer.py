"""Peer: one Socket.IO client. Its events become frames that wait for their answers; frames become its events."""

import asyncio
from itertools import count
from typing import Any

import msgspec
import socketio

from realtime.session.connection import Connection
from realtime.session.device_id import device_id_of
from realtime.session.transport import AsgiTransport
from realtime.wire.close_codes import CloseCode

from .engine import Engine
from .packets import CountedPacket, Outgoing, decode_outgoing, event_packet, request_frame

# Beyond these, frames wait in the outbox, whose bytes are bounded.
MAX_UNTAKEN_PACKETS = 32

# After these the client has to do something before it connects again. After all others it reconnects by itself.
FINAL = {CloseCode.UNAUTHENTICATED, CloseCode.DEACTIVATED, CloseCode.TOO_BIG}


class Peer:
    """`receive` and the transport of `connection` are what a ConnectionSession needs to serve the client.

    `started` is set when the session sends its first frame, so no consumer has refused the client. Frames wait for
    `accepted`, because Socket.IO's CONNECT packet has to come first.
    """

    task: asyncio.Task[None]

    def __init__(
        self, server: socketio.AsyncServer, engine: Engine, *, sid: str, engine_sid: str, scope: Any
    ) -> None:
        self.engine_sid = engine_sid
        self.started, self.accepted = asyncio.Event(), asyncio.Event()
        self.connection = Connection(
            identity=scope["identity"], device_id=device_id_of(scope), transport=AsgiTransport(self._send)
        )
        self._server = server
        self._engine = engine
        self._sid = sid
        # Holds at most one event, because of `_turn`, and one disconnect.
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._refs = count(1)
        self._asked: tuple[int, asyncio.Future[Any]] | None = None
        self._left = self._ended = False
        self._untaken = 0
        self._has_room = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive` for the session."""
        return await self._inbox.get()

    async def ask(self, event: str, data: Any) -> Any:
        """Have the event handled, and return its acknowledgement: the reply's data, or `{"error": {..}}`."""
        async with self._turn:
            if self._ended:
                return None
            ref, answer = next(self._refs), asyncio.get_running_loop().create_future()
            self._asked = ref, answer
            self._inbox.put_nowait({"type": "websocket.receive", "text": request_frame(event, data, ref)})
            return await answer

    def leave(self) -> None:
        """Tell the session that the client has disconnected; safe to repeat."""
        if not self._left:
            self._left = True
            self._inbox.put_nowait({"type": "websocket.disconnect"})

    def end(self) -> None:
        """Answer the waiting `ask` with None, and every later one: the session has ended."""
        self._ended = True
        self._answer(None, None)

    def _answer(self, ref: int | None, data: Any) -> None:
        if self._asked is not None and ref in (None, self._asked[0]):
            answer = self._asked[1]
            self._asked = None
            if not answer.done():
                answer.set_result(data)

    async def _send(self, message: dict[str, Any]) -> None:
        """ASGI's `send` for the outbox. Waits while the client does not take its packets."""
        if message["type"] == "websocket.close":
            return await self._close(CloseCode(message["code"]), message["reason"])
        self.started.set()
        await self.accepted.wait()
        frame = decode_outgoing(message["text"])
        if frame.event == "reply":
            return self._answer(frame.ref, msgspec.json.decode(frame.data))
        await self._emit(frame)
        if frame.ref is not None:
            self._answer(frame.ref, {"error": msgspec.json.decode(frame.data)})
        return None

    async def _emit(self, frame: Outgoing) -> None:
        while self._untaken >= MAX_UNTAKEN_PACKETS:
            self._has_room.clear()
            await self._has_room.wait()
        self._untaken += 1
        await self._engine.send(self.engine_sid, CountedPacket(event_packet(frame), self._note_taken))

    def _note_taken(self) -> None:
        self._untaken -= 1
        self._has_room.set()

    async def _close(self, code: CloseCode, reason: str) -> None:
        if not self.accepted.is_set():
            # The endpoint refuses the client.
            return
        if not self._left:
            data = msgspec.json.encode({"code": int(code), "reason": reason})
            # The close has to be sent even to a client that takes nothing.
            self._untaken = 0
            await self._emit(Outgoing(event="close", data=msgspec.Raw(data)))
            if code in FINAL:
                await self._server.disconnect(self._sid)
        await self._engine.close(self.engine_sid)
