"""Outlet: the way out to one transport, which knows how many packets its client has not taken."""

import asyncio

from .engine import Engine
from .packets import CountedPacket

# Beyond these, frames wait in the session's outbox, whose bytes are bounded.
MAX_UNTAKEN_PACKETS = 32


class Outlet:
    def __init__(self, engine: Engine, engine_sid: str) -> None:
        self._engine = engine
        self._engine_sid = engine_sid
        self._untaken = 0
        self._has_room = asyncio.Event()

    async def send(self, packet: str) -> None:
        """Wait until the client takes its packets, then queue this one."""
        while not await self.send_if_room(packet):
            self._has_room.clear()
            await self._has_room.wait()

    async def send_if_room(self, packet: str) -> bool:
        """Queue the packet, unless MAX_UNTAKEN_PACKETS are queued. Says whether it did."""
        if self._untaken >= MAX_UNTAKEN_PACKETS:
            return False
        await self.send_now(packet)
        return True

    async def send_now(self, packet: str) -> None:
        """Queue the packet, also for a client that takes nothing."""
        self._untaken += 1
        await self._engine.send(self._engine_sid, CountedPacket(packet, self._note_taken))

    async def close(self) -> None:
        """Close the transport after its client has taken what is queued. The caller has to bound the wait."""
        await self._engine.close(self._engine_sid)

    def _note_taken(self) -> None:
        self._untaken -= 1
        self._has_room.set()
