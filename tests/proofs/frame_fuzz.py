"""The frame fuzzer: sends a server what no client should, below and above the WebSocket protocol.

`python -m tests.proofs.frame_fuzz --frames 1000000 --seed 1`. After each burst the server has to answer a ping
or to have closed the connection; at the end it has to live, and to have stayed within its memory.
"""

import argparse
import asyncio
import base64
import copy
import json
import os
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

BURST = 400
ANSWER_SECONDS = 60.0
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
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


def frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, claim: int | None = None, rsv: int = 0
) -> bytes:
    """A masked client frame; `claim` is the length it says it has."""
    length = len(payload) if claim is None else claim
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    if length < 126:
        head += bytes([128 | length])
    elif length < 2**16:
        head += bytes([128 | 126]) + struct.pack("!H", length)
    else:
        head += bytes([128 | 127]) + struct.pack("!Q", length & (2**64 - 1))
    return head + bytes(4) + payload  # a mask of zeros


class Fuzzer:
    """Makes frames from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def soft(self) -> bytes:
        """A well-formed WebSocket frame with anything in it: the connection has to outlive it."""
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
        """One message in pieces, with pings between them."""
        text = json.dumps(self.rng.choice(VALID)).encode()
        cut = sorted(self.rng.randrange(len(text)) for _ in range(3))
        parts = [text[a:b] for a, b in zip([0, *cut], [*cut, len(text)], strict=True)]
        data = b""
        for number, part in enumerate(parts):
            data += frame(part, CONTINUATION if number else TEXT, fin=number == len(parts) - 1)
            if self.rng.random() < 0.3:
                data += frame(b"p", PING)
        return data

    def hard(self) -> bytes:
        """Bytes that break the protocol: the connection has to be closed."""
        rng = self.rng
        breakers: list[Callable[[], bytes]] = [
            lambda: rng.randbytes(300),
            lambda: frame(b"\xff\xfe\xed\xa0\x80"),  # text that is no UTF-8
            lambda: frame(b"x", rng.choice((3, 4, 5, 6, 7, 11, 15))),
            lambda: frame(b"x", rsv=rng.randint(1, 7)),
            lambda: frame(b"x", CONTINUATION),  # of nothing
            lambda: frame(b"a", fin=False) + frame(b"b"),  # a second message inside the first
            lambda: frame(b"x" * 200, PING),
            lambda: frame(b"x", PING, fin=False),
            lambda: frame(b"x", claim=2**63),
            lambda: frame(b"x", claim=2**40),
            lambda: frame(b"x" * 70_000),
            lambda: frame(b"x" * 60_000, fin=False) + frame(b"x" * 60_000, CONTINUATION),
            lambda: bytes([129, 1, 120]),  # unmasked
            lambda: frame(b"\x03", CLOSE),
            lambda: frame(struct.pack("!H", rng.choice((0, 999, 1005, 1006, 5000))), CLOSE),
        ]
        return rng.choice(breakers)()


class Run:
    def __init__(self, server: ChatServer, user: ChatUser, seed: int) -> None:
        self.server, self.user, self.fuzzer = server, user, Fuzzer(seed)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    async def open(
        self, *, receive_buffer_bytes: int = 0
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A socket that has read its `ready`; with a small buffer the kernel reads little ahead for it."""
        sock = socket.socket()
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.server.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=2**24)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self.user.access_token}\r\n\r\n".encode()
        )
        async with asyncio.timeout(ANSWER_SECONDS):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b'"event":"ready"')
        return reader, writer

    async def burst(self, size: int) -> None:
        """So many odd frames on one connection; then a ping that has to be answered."""
        reader, writer = await self.open()
        writer.write(b"".join(self.fuzzer.soft() for _ in range(size)))
        writer.write(frame(b'{"event":"ping","ref":"the-end"}'))
        self.counts["soft frames"] += size
        try:
            await self._until(reader, b'"ref":"the-end"', "a burst of odd frames")
        finally:
            writer.transport.abort()

    async def break_off(self) -> None:
        """One breach of the protocol, which has to end the connection, unless it claims bytes yet to come."""
        reader, writer = await self.open()
        breach = self.fuzzer.hard()
        writer.write(breach)
        self.counts["breaches"] += 1
        try:
            # A second message: if the breach only began a frame, this is more of it, and then the peer leaves.
            writer.write(frame(b'{"event":"ping","ref":"the-end"}'))
            writer.write_eof()
            async with asyncio.timeout(ANSWER_SECONDS):
                while await reader.read(2**16):
                    pass
        except TimeoutError:
            self.problems.append(f"not closed after {breach[:60]!r}")
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def _until(self, reader: asyncio.StreamReader, mark: bytes, what: str) -> None:
        tail = b""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while chunk := await reader.read(2**18):
                    if mark in tail + chunk:
                        return
                    tail = (tail + chunk)[-200:]
            self.problems.append(f"closed after {what}: {tail[-100:]!r}")
        except TimeoutError:
            self.problems.append(f"hung after {what}: {tail[-100:]!r}")
        except OSError as error:
            self.problems.append(f"cut after {what}: {error!r} {tail[-100:]!r}")

    def memory_bytes(self) -> int:
        assert self.server.process is not None
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    async def run(self, frames: int) -> dict[str, Any]:
        await self.burst(BURST)
        before = self.memory_bytes()
        while self.counts["soft frames"] < frames:
            await asyncio.gather(
                *(self.burst(BURST) for _ in range(4)), *(self.break_off() for _ in range(4))
            )
        await self.burst(1)
        grown = self.memory_bytes() - before
        return {**self.counts, "problems": self.problems, "memory grown": grown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    server = ChatServer(MAX_CONNECTIONS_USER="1000").start()
    try:
        report = asyncio.run(Run(server, server.sign_up(), options.seed).run(options.frames))
        report["unhandled"] = [
            line["message"] for line in server.log_records() if line.get("level") == "ERROR"
        ][:5]
        print(json.dumps(report, indent=2))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
