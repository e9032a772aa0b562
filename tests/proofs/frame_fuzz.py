"""The frame fuzzer: it sends a server malformed frames, and well-formed frames with odd content.

`python -m tests.proofs.frame_fuzz --frames 1000000 --seed 1`. The server has to answer a ping after each burst of
odd content, and to close the connection after each malformed frame. It has to stay alive in bounded memory.
"""

import argparse
import asyncio
import json
from collections import Counter
from typing import Any

from tests.kit.raw_sockets import frame, open_raw_socket
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .odd_frames import OddFrames

BURST = 400
ANSWER_SECONDS = 60.0


class Run:
    """One run of the fuzzer against a server. `problems` collects what went wrong."""

    def __init__(self, server: ChatServer, user: ChatUser, seed: int) -> None:
        self.server, self.user, self.frames = server, user, OddFrames(seed)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    async def burst(self, size: int) -> None:
        """Sends `size` frames with odd content on one connection, then a ping that has to be answered."""
        reader, writer = await open_raw_socket(self.user)
        writer.write(b"".join(self.frames.odd() for _ in range(size)))
        writer.write(frame(b'{"event":"ping","ref":"the-end"}'))
        self.counts["odd frames"] += size
        try:
            await self._until(reader, b'"ref":"the-end"', "a burst of odd frames")
        finally:
            writer.transport.abort()

    async def send_malformed(self) -> None:
        """Sends one malformed frame, which has to end the connection unless its header announces more bytes."""
        reader, writer = await open_raw_socket(self.user)
        malformed = self.frames.malformed()
        writer.write(malformed)
        self.counts["malformed frames"] += 1
        try:
            # If the malformed frame is incomplete, this ping is its content, and then the peer ends the connection.
            writer.write(frame(b'{"event":"ping","ref":"the-end"}'))
            writer.write_eof()
            async with asyncio.timeout(ANSWER_SECONDS):
                while await reader.read(2**16):
                    pass
        except TimeoutError:
            self.problems.append(f"not closed after {malformed[:60]!r}")
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

    async def run(self, frames: int) -> dict[str, Any]:
        await self.burst(BURST)
        before = self.server.memory_bytes()
        while self.counts["odd frames"] < frames:
            await asyncio.gather(
                *(self.burst(BURST) for _ in range(4)), *(self.send_malformed() for _ in range(4))
            )
        await self.burst(1)
        grown = self.server.memory_bytes() - before
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
