"""Clients, on picows, that check every frame they receive.

The content of a message is `<sender>:<number>:<padding>`. A client knows which number comes next from each sender,
so a frame that is missing, damaged, repeated or out of order fails the run.
"""

import asyncio
import time
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .frame_codecs import BadFrame, ChatCodec, Decoded, content_of


class Crowd:
    """All clients of one run, the number of messages they received, and the latencies in seconds."""

    def __init__(self, codec: ChatCodec) -> None:
        self.codec = codec
        self.clients: list[Client] = []
        self.received = 0
        self.latencies: list[float] = []
        self.sent_at: dict[tuple[int, int], float] = {}
        self.failure: BaseException | None = None
        self.closing = False
        self.on_message: Any = None
        self._cache: dict[bytes, Decoded] = {}

    async def connect(self, base: str, tokens: list[str], rooms: list[str], *, at_once: int = 20) -> None:
        """Connect one client for each token, to the room at the same index. Return when all are ready."""
        gate = asyncio.Semaphore(at_once)

        async def one(index: int) -> "Client":
            async with gate:
                client = Client(self, index, rooms[index], tokens[index])
                await ws_connect(
                    lambda: client,
                    self.codec.url(base, tokens[index]),
                    extra_headers=self.codec.headers(tokens[index]),
                    enable_auto_pong=True,
                    websocket_handshake_timeout=60,
                    read_buffer_init_size=4096,
                )
                async with asyncio.timeout(60):
                    await client.ready
                return client

        self.clients += await asyncio.gather(*(one(index) for index in range(len(tokens))))

    def decode(self, payload: bytes) -> Decoded:
        """Decode a frame. Each frame reaches many clients, so the result is cached by its bytes."""
        decoded = self._cache.get(payload)
        if decoded is None:
            if len(self._cache) > 5_000:
                self._cache.clear()
            decoded = self._cache[payload] = self.codec.decode(payload)
        return decoded

    def close(self) -> None:
        self.closing = True
        for client in self.clients:
            client.transport.disconnect()


class Client(WSListener):
    """One connection: sends numbered messages, and checks each message it receives."""

    def __init__(self, crowd: Crowd, index: int, room: str, token: str) -> None:
        self.crowd = crowd
        self.index = index
        self.room = room
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent = 0
        self._token = token
        self._expected: dict[int, int] = {}
        self._seq = 0

    def send(self) -> None:
        number, self.sent = self.sent, self.sent + 1
        self.crowd.sent_at[self.index, number] = time.perf_counter()
        frame = self.crowd.codec.send(self.room, content_of(self.index, number), number)
        self.transport.send(WSMsgType.TEXT, frame)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if greeting := self.crowd.codec.greeting(self._token):
            transport.send(WSMsgType.TEXT, greeting)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.crowd.closing:
            self._fail(BadFrame(f"client {self.index} was disconnected"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            if frame.msg_type == WSMsgType.CLOSE:
                self._fail(BadFrame(f"closed with {frame.get_close_code()}"))
            return
        payload = frame.get_payload_as_bytes()
        if answer := self.crowd.codec.answer(payload):
            transport.send(WSMsgType.TEXT, answer)
            return
        try:
            self._take(self.crowd.decode(payload))
        except Exception as error:
            self._fail(error)

    def _take(self, got: Decoded) -> None:
        crowd = self.crowd
        if got.kind == "message":
            expected = self._expected.get(got.sender, 0)
            if got.number != expected or (got.seq and got.seq != self._seq + 1):
                raise BadFrame(
                    f"received {got}; expected number {expected} of this sender, and the seq after {self._seq}"
                )
            self._expected[got.sender] = expected + 1
            self._seq = got.seq
            crowd.received += 1
            crowd.latencies.append(time.perf_counter() - crowd.sent_at[got.sender, got.number])
            if crowd.on_message is not None:
                crowd.on_message(self, got)
        elif got.kind == "ready" and not self.ready.done():
            self.ready.set_result(None)

    def _fail(self, error: BaseException) -> None:
        self.crowd.failure = self.crowd.failure or error
        if not self.ready.done():
            self.ready.set_exception(error)
