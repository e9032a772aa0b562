"""Outlet: packets that a client does not take are counted, and no more are queued."""

import asyncio

import pytest

from realtime.socketio.outlet import MAX_UNTAKEN_PACKETS, Outlet
from realtime.socketio.packets import CountedPacket

pytestmark = pytest.mark.once  # a queue in memory


class Queue:
    """In place of the engine's queue."""

    def __init__(self) -> None:
        self.packets: list[CountedPacket] = []

    async def send(self, engine_sid: str, packet: CountedPacket) -> None:
        self.packets.append(packet)


async def test_packets_when_none_is_taken_then_the_next_waits() -> None:
    queue = Queue()
    outlet = Outlet(queue, "sid")  # type: ignore[arg-type]
    for _ in range(MAX_UNTAKEN_PACKETS):
        await outlet.send("2[]")
    assert not await outlet.send_if_room("2[]")
    waiting = asyncio.create_task(outlet.send('2["waits"]'))
    await asyncio.sleep(0)
    assert not waiting.done()
    await outlet.send_now('2["close"]')
    for packet in queue.packets[:2]:
        packet.encode()
    await waiting
    assert [packet.data for packet in queue.packets[-2:]] == ['2["close"]', '2["waits"]']
