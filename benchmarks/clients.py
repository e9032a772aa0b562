"""Clients that speak to each contender over picows, and check every frame they get.

A message's content is `<sender>:<number>:<padding>`; a client knows what has to come next from each sender, so a
frame that is missing, torn, doubled or out of order fails the run. Must not know shapes of load or CPU.
"""

import asyncio
import time
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

PADDING = "x" * 100


class BadFrame(AssertionError):
    """A contender did not deliver what it was given."""


def content_of(sender: int, number: int) -> str:
    return f"{sender}:{number}:{PADDING}"


class Decoded(msgspec.Struct):
    """`kind` is ready, message, ack or other; the rest as it applies."""

    kind: str
    sender: int = -1
    number: int = -1
    room: str = ""
    seq: int = 0
    ref: int = -1


def message(content: str, room: str = "", seq: int = 0) -> Decoded:
    sender, number, padding = content.split(":")
    if padding != PADDING:
        raise BadFrame(f"a torn message: {content[:80]}")
    return Decoded("message", int(sender), int(number), room, seq)


class ChatCodec:
    """Our protocol."""

    def url(self, base: str, token: str) -> str:
        return f"ws://{base}/ws/chat/"

    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def greeting(self, token: str) -> bytes | None:
        return None

    def send(self, room: str, content: str, ref: int) -> bytes:
        data = {"roomId": room, "content": content, "clientMessageId": content[:20]}
        return msgspec.json.encode({"event": "message:send", "data": data, "ref": ref})

    def decode(self, payload: bytes) -> Decoded:
        frame = msgspec.json.decode(payload)
        event, data = frame["event"], frame["data"]
        if event == "message:receive":
            return message(data["content"], data["roomId"], data.get("seq", 0))
        if event == "reply":
            return Decoded("ack", ref=frame["ref"], seq=data.get("seq", 0))
        if event.startswith("error"):
            raise BadFrame(f"refused: {frame}")
        return Decoded("ready" if event == "ready" else "other")

    def answer(self, payload: bytes) -> bytes | None:
        return None


class SocketIOCodec(ChatCodec):
    """Engine.IO 4 and Socket.IO 5 over WebSocket alone, as a client with `transports: ["websocket"]` does."""

    def url(self, base: str, token: str) -> str:
        return f"ws://{base}/socket.io/?EIO=4&transport=websocket"

    def headers(self, token: str) -> dict[str, str]:
        return {}

    def greeting(self, token: str) -> bytes | None:
        return b"40" + msgspec.json.encode({"token": token})

    def send(self, room: str, content: str, ref: int) -> bytes:
        data = {"roomId": room, "content": content, "clientMessageId": content[:20]}
        return b"42%d" % ref + msgspec.json.encode(["message:send", data])

    def decode(self, payload: bytes) -> Decoded:
        if payload.startswith(b"42"):
            event, data = msgspec.json.decode(payload[2:])
            if event == "message:receive":
                return message(data["content"], data["roomId"])
            return Decoded("ready" if event == "ready" else "other")
        if payload.startswith(b"43"):
            ref, _, answer = payload[2:].partition(b"[")
            data = msgspec.json.decode(b"[" + answer)[0]
            if data.get("status") != "ok":
                raise BadFrame(f"refused: {data}")
            return Decoded("ack", ref=int(ref))
        if payload.startswith(b"44"):
            raise BadFrame(f"refused: {payload!r}")
        return Decoded("other")

    def answer(self, payload: bytes) -> bytes | None:
        return b"3" if payload == b"2" else None


class TutorialCodec(ChatCodec):
    """The Channels tutorial's: `{"message": ..}` both ways, no acknowledgement; the token in the query."""

    def url(self, base: str, token: str) -> str:
        return f"ws://{base}/ws/chat/bench/?token={token}"

    def headers(self, token: str) -> dict[str, str]:
        return {}

    def send(self, room: str, content: str, ref: int) -> bytes:
        return msgspec.json.encode({"message": content})

    def decode(self, payload: bytes) -> Decoded:
        text = msgspec.json.decode(payload)["message"]
        return Decoded("ready") if text == "ready" else message(text)


class Crowd:
    """All clients of one run, what they have received, and how long it took."""

    def __init__(self, codec: ChatCodec) -> None:
        self.codec = codec
        self.clients: list[Client] = []
        self.received = 0
        self.acked = 0
        self.latencies: list[float] = []
        self.sent_at: dict[tuple[int, int], float] = {}
        self.failure: BaseException | None = None
        self.closing = False
        self.on_message: Any = None
        self.on_ack: Any = None
        self._cache: dict[bytes, Decoded] = {}

    async def connect(self, base: str, tokens: list[str], rooms: list[str], *, at_once: int = 20) -> None:
        """One client for each token, in the room of the same place; returns when all are ready."""
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
        """The same bytes reach many clients and mean the same to each."""
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
            self._fail(BadFrame(f"client {self.index} was cut off"))

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
                raise BadFrame(f"{got} came where {expected} of that sender after seq {self._seq} was due")
            self._expected[got.sender] = expected + 1
            self._seq = got.seq
            crowd.received += 1
            crowd.latencies.append(time.perf_counter() - crowd.sent_at[got.sender, got.number])
            if crowd.on_message is not None:
                crowd.on_message(self, got)
        elif got.kind == "ack":
            crowd.acked += 1
            if crowd.on_ack is not None:
                crowd.on_ack(self)
        elif got.kind == "ready" and not self.ready.done():
            self.ready.set_result(None)

    def _fail(self, error: BaseException) -> None:
        self.crowd.failure = self.crowd.failure or error
        if not self.ready.done():
            self.ready.set_exception(error)
