"""BreakingProxy: forwards HTTP, and breaks WebSockets in one of the ways of filtering proxies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 65536
REFUSALS = {"502": b"HTTP/1.1 502 Bad Gateway", "404": b"HTTP/1.1 404 Not Found"}
# "ended" and "silenced" pass the 101 of the server to the client first; "unanswered" passes nothing.
WAYS = (*REFUSALS, "unanswered", "ended", "silenced")


class BreakingProxy:
    """`polls` and `websockets` count the requests of clients."""

    def __init__(self, target_port: int, way: str) -> None:
        self.port = 0
        self.polls = self.websockets = 0
        self._target_port = target_port
        self._way = way
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        is_websocket = b"upgrade: websocket" in head.lower()
        self.websockets += is_websocket
        if is_websocket and self._way in REFUSALS:
            writer.write(REFUSALS[self._way] + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            return
        if is_websocket and self._way == "unanswered":
            await asyncio.Event().wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            far_writer.write(head)
            if is_websocket:
                writer.write(await far_reader.readuntil(b"\r\n\r\n"))
                await writer.drain()
                if self._way == "silenced":
                    await asyncio.Event().wait()
                return
            self._count(head)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            far_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            self._count(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    def _count(self, data: bytes) -> None:
        self.polls += data.count(b"GET /socket.io/")


@asynccontextmanager
async def breaking_proxy(target_port: int, way: str) -> AsyncIterator[BreakingProxy]:
    proxy = BreakingProxy(target_port, way)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
