"""Proxies that can be cut and that are hostile, in front of a server that echoes lines."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from .hostile_proxy import Fault, HostileProxy
from .processes import free_port
from .proxy import TcpProxy
from .waiting import until

pytestmark = pytest.mark.once  # needs no database


UPGRADE, SWITCHED = b"Upgrade: websocket\n", b"101\r\n\r\n"


class EchoServer:
    """Sends each line back, and keeps it in `received`. It answers an upgrade with a 101 and two more lines."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            self.received.append(line)
            writer.write(SWITCHED + b"hello\nready\n" if line == UPGRADE else line)
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


@pytest.fixture
async def hostile(echo: EchoServer) -> AsyncIterator[HostileProxy]:
    with HostileProxy(echo.port) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("fault", "passes"),
    [
        (Fault.NONE, SWITCHED + b"hello\nready\n"),
        (Fault.DELAY, SWITCHED + b"hello\nready\n"),
        (Fault.STALL_BEFORE_101, b""),
        (Fault.STALL_AFTER_101, SWITCHED),
        (Fault.STALL_IN_FRAME, SWITCHED + b"hello\nready"),
        (Fault.HALF_OPEN, b""),
    ],
)
async def test_hostile_proxy_when_upgraded_then_passes_up_to_its_fault(
    echo: EchoServer, hostile: HostileProxy, fault: Fault, passes: bytes
) -> None:
    plain = await client(hostile.port)
    await plain.echo(b"before\n")
    hostile.set(fault)
    socket = await client(hostile.port)
    socket.send(UPGRADE)
    async with asyncio.timeout(30):
        assert await socket.reader.readexactly(len(passes)) == passes
    stalls = passes != SWITCHED + b"hello\nready\n"
    await until(lambda: hostile.hits == stalls, "the fault was met")
    if fault is not Fault.HALF_OPEN:
        assert await plain.echo(b"REST\n") == b"REST\n"
    hostile.set(Fault.NONE)
    socket.send(b"more\n")
    new = await client(hostile.port)
    for _ in range(100):
        await new.echo(b"new\n")
    if not stalls:
        assert await socket.line() == b"more\n"
    assert (b"more\n" in echo.received) == (not stalls)
    assert not socket.reader.at_eof()


@pytest.mark.parametrize(
    ("fault", "passes"), [(Fault.REFUSE_404, b"HTTP/1.1 404 "), (Fault.END_AFTER_101, SWITCHED)]
)
async def test_hostile_proxy_when_it_ends_handshakes_then_others_pass(
    hostile: HostileProxy, fault: Fault, passes: bytes
) -> None:
    plain = await client(hostile.port)
    await plain.echo(b"before\n")
    hostile.set(fault)
    socket = await client(hostile.port)
    socket.send(UPGRADE)
    async with asyncio.timeout(30):
        assert (await socket.reader.read()).startswith(passes)
    assert hostile.hits == 1
    assert await plain.echo(b"REST\n") == b"REST\n"


async def test_hostile_proxy_when_it_drops_then_all_are_reset(hostile: HostileProxy) -> None:
    old = await client(hostile.port)
    await old.echo(b"before\n")
    hostile.set(Fault.DROP)
    with pytest.raises(ConnectionResetError):
        await old.line()
    # While it connects, or when it reads.
    with pytest.raises(ConnectionResetError):
        await (await client(hostile.port)).line()
    assert hostile.hits == 2
    hostile.set(Fault.NONE)
    assert await (await client(hostile.port)).echo(b"again\n") == b"again\n"
