"""Socket.IO clients on the same services and hub: each is a Connection whose frames leave as Socket.IO events.

Knows python-socketio and the session that serves a connection; must not know any app. An answer with a ref is the
acknowledgement of the event it answers; an error is also the event `error:<code>`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import engineio.payload
import msgspec
import socketio
from engineio.exceptions import EngineIOError
from socketio.exceptions import ConnectionRefusedError as Refused

from foundation import context, loop
from realtime.servers.uvicorn_http import ON_SHUTDOWN
from realtime.session.connection import Connection
from realtime.session.device_id import device_id_of
from realtime.session.handlers import EventRegistry
from realtime.session.session import ConnectionSession
from realtime.session.transport import AsgiTransport
from realtime.wire.close_codes import CloseCode

from .packets import (
    CountedPacket,
    Outgoing,
    TextPacket,
    decode_outgoing,
    event_packet,
    is_engine_text,
    request_frame,
)

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0  # for a client to say who it is, and to go once it was closed
STOP_SECONDS = 1.0
MAX_UNTAKEN_PACKETS = 32  # beyond them frames wait in the outbox, whose bytes are bounded
# A client may have buffered more than the library's 16 before its first POST; their bytes are bounded.
engineio.payload.Payload.max_decode_packets = 1_000

# After these a client has something to do first; after all others it should come back by itself.
FINAL = {CloseCode.UNAUTHENTICATED, CloseCode.DEACTIVATED, CloseCode.TOO_BIG}

Authenticate = Callable[[dict[str, Any], str | None], Awaitable[None]]


class SocketIo:
    """The Socket.IO server of this process, an ASGI application for /socket.io/.

    `authenticate(scope, token)` sets `scope["identity"]` or `scope["auth_error"]`; `allows_origin(scope)` says
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
        self._closers: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Task[None] | None = None
        ping_seconds = max(1, round(ping_seconds))  # the handshake tells whole seconds
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            async_handlers=False,  # one after the other, as frames of any connection
            serializer=TextPacket,
            ping_interval=ping_seconds,
            ping_timeout=ping_seconds,
            max_http_buffer_size=max_frame_bytes,
            cors_allowed_origins=lambda origin, environ: allows_origin(environ["asgi.scope"]),
        )
        self._server.on("connect", self._connect)
        self._server.on("*", self._event)
        self._server.on("disconnect", self._leave)
        engine = self._server.eio
        engine.on("connect", _both(engine.handlers["connect"], self._opened))
        engine.on("disconnect", _both(engine.handlers["disconnect"], self._leave_engine))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        engine = self._server.eio
        if engine.start_service_task:
            # python-engineio would start its monitor in the context of the first request.
            engine.start_service_task = False
            engine.service_task_handle = loop.spawn(engine._service_task(), name="socket.io-monitor")
        if "state" in scope:
            scope["state"][ON_SHUTDOWN] = self.begin_stop  # or a poll would hold the server's end up

        async def sound() -> Any:
            message = await receive()
            if message["type"] == "websocket.receive" and not is_engine_text(message):
                return {"type": "websocket.disconnect", "code": 1003}
            return message

        if scope["type"] == "websocket":
            await self._server.handle_request(scope, sound, send)
        elif scope["method"] == "GET":
            await self._poll(scope, receive, send)
        else:
            await self._server.handle_request(scope, receive, send)

    async def _poll(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a GET. python-engineio would wait on for a client that has gone, and the server's end for that."""

        async def empty() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        request = asyncio.create_task(self._server.handle_request(scope, empty, send), name="socket.io-poll")
        gone = asyncio.create_task(_disconnected(receive), name="socket.io-gone")
        try:
            await asyncio.wait([request, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await loop.cancel(request, gone)
        if not request.cancelled():
            request.result()

    def begin_stop(self) -> asyncio.Task[None]:
        """Send everyone away to come back, and end what runs here; once, however often it is called."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="socket.io-stop")
        return self._stopping

    async def _stop(self) -> None:
        for peer in list(self._peers.values()):
            peer.connection.close(CloseCode.RESTART, "restart")
        tasks = [peer.task for peer in self._peers.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for engine_sid in list(self._server.eio.sockets):  # whose clients have not logged in
            self._end_later(engine_sid)
        if self._closers:
            await asyncio.wait(self._closers, timeout=STOP_SECONDS)
        await loop.cancel(*tasks, *self._closers)
        await self._server.shutdown()

    # --- called by python-socketio ------------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Serve the client once its token is good; what else keeps it out (a limit, a ban) refuses it too."""
        scope = environ["asgi.scope"]
        token = auth.get("token") if isinstance(auth, dict) else None
        if token and isinstance(token, str):
            scope = {key: scope[key] for key in scope if key not in ("identity", "auth_error")}
            await self._authenticate(scope, token.removeprefix("Bearer "))
        if error := scope.get("auth_error"):
            raise Refused(error.message, error.as_data(request_id=None))
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        peer = Peer(self._server, sid, engine_sid, scope)
        self._peers[engine_sid] = peer
        peer.task = asyncio.create_task(self._serve(peer), name="socket.io")
        begun = asyncio.create_task(peer.begun.wait())
        await asyncio.wait([begun, peer.task], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if not peer.begun.is_set():
            code, reason = peer.connection.closing or (CloseCode.RESTART, "")
            raise Refused(reason or "refused", {"code": reason or "refused", "closeCode": int(code)})
        # python-socketio says CONNECT as soon as this returns; `ready` waits for the loop's next turn.
        asyncio.get_running_loop().call_soon(peer.accepted.set)

    async def _event(self, event: str, sid: str, *data: Any) -> Any:
        peer = self._peers.get(self._server.manager.eio_sid_from_sid(sid, "/"))
        if peer is None:
            return None
        return await peer.ask(event, (data[0] if len(data) == 1 else list(data)) if data else {})

    async def _leave(self, sid: str, reason: str) -> None:
        await self._leave_engine(self._server.manager.eio_sid_from_sid(sid, "/"), reason)

    async def _leave_engine(self, engine_sid: str, reason: str) -> None:
        if peer := self._peers.get(engine_sid):
            peer.leave()

    async def _opened(self, engine_sid: str, environ: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._close_idle, engine_sid)

    # --- inside -------------------------------------------------------------------------------------------------

    def _close_idle(self, engine_sid: str) -> None:
        """Close a transport that nobody logged in over, or whose client was closed and stays."""
        if engine_sid in self._server.eio.sockets and engine_sid not in self._peers:
            self._end_later(engine_sid)

    def _end_later(self, engine_sid: str) -> None:
        task = asyncio.create_task(end_engine(self._server, engine_sid), name="socket.io-idle")
        self._closers.add(task)
        task.add_done_callback(self._closers.discard)

    async def _serve(self, peer: "Peer") -> None:
        context.connection_id.set(peer.connection.id)
        context.user_id.set(str(peer.connection.user_id))
        try:
            session = ConnectionSession(peer.connection, self._registry, route="socket.io/")
            await session.run(peer.receive)
        finally:
            peer.end()
            del self._peers[peer.engine_sid]
            asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._close_idle, peer.engine_sid)


class Peer:
    """One client: its events go in as frames and wait for their answers, frames come out as its events."""

    task: asyncio.Task[None]

    def __init__(self, server: socketio.AsyncServer, sid: str, engine_sid: str, scope: Any) -> None:
        self.engine_sid = engine_sid
        self.begun, self.accepted = asyncio.Event(), asyncio.Event()
        self.connection = Connection(
            identity=scope["identity"], device_id=device_id_of(scope), transport=AsgiTransport(self._send)
        )
        self._server = server
        self._sid = sid
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()  # of one event and one leave: see `ask`
        self._turn = asyncio.Lock()
        self._refs = count(1)
        self._asked: tuple[int, asyncio.Future[Any]] | None = None
        self._left = self._ended = False
        self._untaken = 0
        self._room = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
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
        """The client has gone."""
        if not self._left:
            self._left = True
            self._inbox.put_nowait({"type": "websocket.disconnect"})

    def end(self) -> None:
        """Nobody serves the client any more: who waits for an answer gets none."""
        self._ended = True
        self._answer(None, None)

    def _answer(self, ref: int | None, data: Any) -> None:
        if self._asked is not None and ref in (None, self._asked[0]):
            answer = self._asked[1]
            self._asked = None
            if not answer.done():
                answer.set_result(data)

    async def _send(self, message: dict[str, Any]) -> None:
        """ASGI's `send` for the outbox: waits while the client does not take what it was sent."""
        if message["type"] == "websocket.close":
            return await self._close(CloseCode(message["code"]), message["reason"])
        self.begun.set()
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
            self._room.clear()
            await self._room.wait()
        if self.engine_sid not in self._server.eio.sockets:
            raise ConnectionResetError
        self._untaken += 1
        try:
            await self._server.eio.send_packet(
                self.engine_sid, CountedPacket(event_packet(frame), self._take)
            )
        except (EngineIOError, KeyError) as error:
            raise ConnectionResetError from error

    def _take(self) -> None:
        self._untaken -= 1
        self._room.set()

    async def _close(self, code: CloseCode, reason: str) -> None:
        if not self.accepted.is_set():
            return  # `_connect` refuses it
        if not self._left:
            data = msgspec.json.encode({"code": int(code), "reason": reason})
            self._untaken = 0  # it has to leave though the client is slow
            await self._emit(Outgoing(event="close", data=msgspec.Raw(data)))
            if code in FINAL:
                await self._server.disconnect(self._sid)
        await end_engine(self._server, self.engine_sid)


async def end_engine(server: socketio.AsyncServer, engine_sid: str) -> None:
    """Close a client's transport after what is queued; python-engineio alone would leave a WebSocket open."""
    socket = server.eio.sockets.get(engine_sid)
    if socket is not None:
        try:
            await server.eio.disconnect(engine_sid)
        except (EngineIOError, KeyError):
            pass  # gone meanwhile
        finally:
            socket.queue.put_nowait(None)


async def _disconnected(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _both(first: Callable[..., Awaitable[None]], then: Callable[..., Awaitable[None]]) -> Any:
    async def run(*args: Any) -> None:
        await first(*args)
        await then(*args)

    return run
