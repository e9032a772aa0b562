"""A TCP proxy that a test can cut, which makes its connections hang.

A stopped process refuses or resets connections. A cut network does neither, which is harder to handle.
"""

import asyncio
import contextlib
import threading
from typing import Self

from .processes import free_port

CHUNK_BYTES = 65536


class Link:
    """One connection through a proxy: the client's writer, and what a subclass of TcpProxy notes about it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.is_websocket = self.is_open = self.is_silent = self.is_mute = False


class TcpProxy:
    """Listens on `port` and forwards to `target_port`, in its own thread."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._connected = asyncio.Event()
        self._connected.set()
        self._forgotten: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def cut(self) -> None:
        """Holds back all data on old and new connections, and closes none of them."""
        self._loop.call_soon_threadsafe(self._connected.clear)

    def restore(self, *, forget: bool = False) -> None:
        """Forwards again. With `forget` the old connections stay silent, as if the host had been replaced."""
        self._loop.call_soon_threadsafe(self._restore, forget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _restore(self, forget: bool) -> None:
        if forget:
            self._forgotten |= self._tasks
        self._connected.set()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        ready.set()
        self._loop.run_forever()
        server.close()
        # A connection that was accepted a moment ago begins its task only now.
        while tasks := asyncio.all_tasks(self._loop):
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._connected.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            link = Link(writer)
            up = self._pump(reader, far_writer, link, from_server=False)
            down = self._pump(far_reader, writer, link, from_server=True)
            await asyncio.gather(up, down)
        except (OSError, asyncio.CancelledError):
            writer.close()

    async def _passing(self, data: bytes, link: Link, *, from_server: bool) -> bytes:
        """Returns the part of the data that passes. It may wait first."""
        return data

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, *, from_server: bool
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._connected.wait()
                if task in self._forgotten:
                    await asyncio.Event().wait()
                writer.write(await self._passing(data, link, from_server=from_server))
                await writer.drain()
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()
