"""Frames that no correct client sends, made from a seed."""

import copy
import json
import random
import struct
from collections.abc import Callable
from typing import Any

from tests.kit.raw_sockets import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

ROOM = "01900000-0000-7000-8000-000000000000"
VALID: list[dict[str, Any]] = [
    {
        "event": "message:send",
        "data": {"roomId": ROOM, "content": "hello", "clientMessageId": "k", "meta": {"a": [1]}},
    },
    {"event": "message:ack", "data": {"roomId": ROOM, "seq": 1, "status": "read"}, "ref": 7},
    {"event": "message:edit", "data": {"roomId": ROOM, "messageId": ROOM, "content": "x"}, "ref": "r"},
    {"event": "typing", "data": {"roomId": ROOM, "isTyping": True}},
    {"event": "presence:query", "data": {"userIds": [ROOM]}, "ref": "r"},
    {"event": "resume", "data": {"rooms": {ROOM: 5}, "since": "2026-01-01T00:00:00.000Z"}},
    {"event": "auth:refresh", "data": {"token": "a.b.c"}},
    {"event": "ping", "data": {}},
]
ODD: list[Any] = [
    None, True, [], {}, "", -1, 0, 2**53, 2**63, 2**64, -(2**63) - 1, 10**300, 1e308, -0.0, "\x00",
    "\u202e", "\ud83d\ude00",
    "9" * 400, "a" * 5000, "../../etc/passwd", "' OR 1=1 --", {"$ne": None}, {"$where": "1"}, [[]] * 50, "\x1b[31m",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-23:59", "NaN", {"": {"": {}}},
]  # fmt: skip


class OddFrames:
    """Makes frames from one seed: the same seed makes the same frames."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def odd(self) -> bytes:
        """Returns well-formed WebSocket frames with odd content. The connection has to survive them."""
        make = self.rng.choice(
            (self._mutated, self._mutated, self._mutated, self._garbled, self._nested, self._fragmented)
        )
        return make()

    def _mutated(self) -> bytes:
        value = dict(self.rng.choice(VALID))
        value["data"] = dict(value["data"])
        for _ in range(self.rng.randint(1, 3)):
            where = self.rng.choice((value, value["data"])) if isinstance(value.get("data"), dict) else value
            key = self.rng.choice([*where, "extra", "event", "__proto__"])
            if self.rng.random() < 0.2:
                where.pop(key, None)
            else:
                where[key] = copy.deepcopy(self.rng.choice(ODD))
        return frame(json.dumps(value).encode())

    def _garbled(self) -> bytes:
        text = bytearray(json.dumps(self.rng.choice(VALID)).encode())
        for _ in range(self.rng.randint(1, 6)):
            text[self.rng.randrange(len(text))] = self.rng.randrange(32, 127)
        if self.rng.random() < 0.1:
            return frame(self.rng.randbytes(self.rng.randint(0, 200)), BINARY)
        return frame(bytes(text[: self.rng.randint(0, len(text))]))

    def _nested(self) -> bytes:
        depth = self.rng.randint(10, 12_000) if self.rng.random() < 0.02 else self.rng.randint(10, 300)
        opening = self.rng.choice((b"[", b'{"a":'))
        where = self.rng.choice((b'{"event":"message:send","data":', b'{"event":"ping","data":{"meta":', b""))
        return frame(where + opening * depth)

    def _fragmented(self) -> bytes:
        """One message in four fragments, with pings in between."""
        text = json.dumps(self.rng.choice(VALID)).encode()
        cut = sorted(self.rng.randrange(len(text)) for _ in range(3))
        parts = [text[a:b] for a, b in zip([0, *cut], [*cut, len(text)], strict=True)]
        data = b""
        for number, part in enumerate(parts):
            data += frame(part, CONTINUATION if number else TEXT, fin=number == len(parts) - 1)
            if self.rng.random() < 0.3:
                data += frame(b"p", PING)
        return data

    def malformed(self) -> bytes:
        """Returns bytes that break the protocol. The connection has to be closed."""
        rng = self.rng
        breakers: list[Callable[[], bytes]] = [
            lambda: rng.randbytes(300),
            # Text that is not UTF-8.
            lambda: frame(b"\xff\xfe\xed\xa0\x80"),
            lambda: frame(b"x", rng.choice((3, 4, 5, 6, 7, 11, 15))),
            lambda: frame(b"x", rsv=rng.randint(1, 7)),
            # A continuation without a message.
            lambda: frame(b"x", CONTINUATION),
            # A second message inside the first.
            lambda: frame(b"a", fin=False) + frame(b"b"),
            lambda: frame(b"x" * 200, PING),
            lambda: frame(b"x", PING, fin=False),
            lambda: frame(b"x", claim=2**63),
            lambda: frame(b"x", claim=2**40),
            lambda: frame(b"x" * 70_000),
            lambda: frame(b"x" * 60_000, fin=False) + frame(b"x" * 60_000, CONTINUATION),
            # A frame without a mask.
            lambda: bytes([129, 1, 120]),
            lambda: frame(b"\x03", CLOSE),
            lambda: frame(struct.pack("!H", rng.choice((0, 999, 1005, 1006, 5000))), CLOSE),
        ]
        return rng.choice(breakers)()
