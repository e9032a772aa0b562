"""How a client speaks to each contender: the address, the frames it sends, and what a received frame means."""

import msgspec

PADDING = "x" * 100


class BadFrame(AssertionError):
    """A contender lost, changed or repeated a message, refused it, or closed the connection."""


def content_of(sender: int, number: int) -> str:
    return f"{sender}:{number}:{PADDING}"


class Decoded(msgspec.Struct):
    """A received frame. `kind` is "ready", "message" or "other"; a message has the other fields too."""

    kind: str
    sender: int = -1
    number: int = -1
    room: str = ""
    seq: int = 0


def message(content: str, room: str = "", seq: int = 0) -> Decoded:
    sender, number, padding = content.split(":")
    if padding != PADDING:
        raise BadFrame(f"a damaged message: {content[:80]}")
    return Decoded("message", int(sender), int(number), room, seq)


class ChatCodec:
    """The chat protocol of this server, and the interface of all codecs."""

    def url(self, base: str, token: str) -> str:
        return f"ws://{base}/ws/chat/"

    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def greeting(self, token: str) -> bytes | None:
        """The frame that a client sends first, if any."""
        return None

    def send(self, room: str, content: str, ref: int) -> bytes:
        data = {"roomId": room, "content": content, "clientMessageId": content[:20]}
        return msgspec.json.encode({"event": "message:send", "data": data, "ref": ref})

    def decode(self, payload: bytes) -> Decoded:
        frame = msgspec.json.decode(payload)
        event, data = frame["event"], frame["data"]
        if event == "message:receive":
            return message(data["content"], data["roomId"], data.get("seq", 0))
        if event.startswith("error"):
            raise BadFrame(f"refused: {frame}")
        return Decoded("ready" if event == "ready" else "other")

    def answer(self, payload: bytes) -> bytes | None:
        """The frame that answers `payload` at once, such as the pong to a ping."""
        return None


class SocketIOCodec(ChatCodec):
    """Engine.IO 4 and Socket.IO 5 over WebSocket only, like a client with `transports: ["websocket"]`."""

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
            answer = payload.partition(b"[")[2]
            data = msgspec.json.decode(b"[" + answer)[0]
            if data.get("status") != "ok":
                raise BadFrame(f"refused: {data}")
        if payload.startswith(b"44"):
            raise BadFrame(f"refused: {payload!r}")
        return Decoded("other")

    def answer(self, payload: bytes) -> bytes | None:
        return b"3" if payload == b"2" else None


class TutorialCodec(ChatCodec):
    """The Channels tutorial: `{"message": ..}` in both directions, no acknowledgement, the token in the query."""

    def url(self, base: str, token: str) -> str:
        return f"ws://{base}/ws/chat/bench/?token={token}"

    def headers(self, token: str) -> dict[str, str]:
        return {}

    def send(self, room: str, content: str, ref: int) -> bytes:
        return msgspec.json.encode({"message": content})

    def decode(self, payload: bytes) -> Decoded:
        text = msgspec.json.decode(payload)["message"]
        return Decoded("ready") if text == "ready" else message(text)
