"""A proxy that can be cut, in front of a server that echoes lines."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from .processes import free_port
from .proxy import TcpProxy

pytestmark = pytest.mark.once  # needs no database


class EchoServer:
    """Sends each line back, and keeps it in `received`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            self.received.append(line)
            writer.write(line)
        writer.close()


class LineClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, line: bytes) -> None:
        self.writer.write(line)

    async def echo(self, line: bytes) -> bytes:
        self.send(line)
        return await self.line()

    async def line(self) -> bytes:
        async with asyncio.timeout(30):
            return await self.reader.readline()


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    server = EchoServer()
    async with await asyncio.start_server(server.serve, "127.0.0.1", server.port):
        yield server


@pytest.fixture
async def proxy(echo: EchoServer) -> AsyncIterator[TcpProxy]:
    with TcpProxy(echo.port) as proxy:
        yield proxy


async def client(port: int) -> LineClient:
    return LineClient(*await asyncio.open_connection("127.0.0.1", port))


async def test_proxy_when_whole_then_forwards_both_ways(proxy: TcpProxy) -> None:
    assert await (await client(proxy.port)).echo(b"one\n") == b"one\n"


async def test_proxy_when_cut_then_holds_data_back_until_restored(echo: EchoServer, proxy: TcpProxy) -> None:
    old = await client(proxy.port)
    await old.echo(b"before\n")
    proxy.cut()
    new = await client(proxy.port)
    old.send(b"old\n")
    new.send(b"new\n")
    direct = await client(echo.port)
    # Data that the proxy let through would arrive during these round trips past the proxy.
    for _ in range(100):
        await direct.echo(b"direct\n")
    assert echo.received == [b"before\n", *[b"direct\n"] * 100]
    proxy.restore()
    assert [await old.line(), await new.line()] == [b"old\n", b"new\n"]


async def test_proxy_when_old_connections_are_forgotten_then_only_new_work(
    echo: EchoServer, proxy: TcpProxy
) -> None:
    old = await client(proxy.port)
    await old.echo(b"before\n")
    proxy.cut()
    old.send(b"lost\n")
    proxy.restore(forget=True)
    assert await (await client(proxy.port)).echo(b"new\n") == b"new\n"
    assert echo.received == [b"before\n", b"new\n"]
    assert not old.reader.at_eof()
