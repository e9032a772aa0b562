"""Shapes of load: one after the other, so many at once, or at a rate. Knows clients; must not know contenders."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .clients import Client, Crowd, Decoded

DRAIN_SECONDS = 60.0


@dataclass
class Result:
    """What a run sent and saw. Times in seconds."""

    sent: int
    delivered: int
    wall: float
    p50: float
    p99: float


class Load:
    """`run` drives the crowd until `enough` says so, then waits until every message has reached its room."""

    def __init__(self, crowd: Crowd, *, room_size: int) -> None:
        self.crowd = crowd
        self.room_size = room_size
        self._stopping = False

    async def run(self, start: Callable[[], Any], enough: Callable[[float], bool]) -> Result:
        crowd = self.crowd
        sent, received = self._sent(), crowd.received
        crowd.latencies.clear()
        self._stopping, began = False, time.perf_counter()
        driver = start()
        while not enough(time.perf_counter() - began):
            await asyncio.sleep(0.1)
            self._check()
        self._stopping = True
        if driver is not None:
            await driver
        await self._drain(received + (self._sent() - sent) * self.room_size)
        latencies = sorted(crowd.latencies)
        return Result(
            sent=self._sent() - sent,
            delivered=crowd.received - received,
            wall=time.perf_counter() - began,
            p50=latencies[len(latencies) // 2],
            p99=latencies[len(latencies) * 99 // 100],
        )

    def one_at_a_time(self) -> None:
        """The next is sent when all have the last."""
        left = 0

        def on_message(client: Client, got: Decoded) -> None:
            nonlocal left
            left -= 1
            if left == 0 and not self._stopping:
                send()

        def send() -> None:
            nonlocal left
            left = self.room_size
            self.crowd.clients[0].send()

        self.crowd.on_message = on_message
        send()

    def concurrent(self, senders: list[Client]) -> None:
        """Each sender sends the next when its last has come back to it."""

        def on_message(client: Client, got: Decoded) -> None:
            if got.sender == client.index and not self._stopping:
                client.send()

        self.crowd.on_message = on_message
        for client in senders:
            client.send()

    def at_rate(self, senders: list[Client], per_second: float) -> "asyncio.Task[None]":
        """Evenly spaced, whatever comes back; the senders take turns."""
        self.crowd.on_message = None
        return asyncio.create_task(self._send_at_rate(senders, per_second))

    async def _send_at_rate(self, senders: list[Client], per_second: float) -> None:
        began, sent = time.perf_counter(), 0
        while not self._stopping:
            while sent < (time.perf_counter() - began) * per_second:
                senders[sent % len(senders)].send()
                sent += 1
            await asyncio.sleep(0.001)

    def _sent(self) -> int:
        return sum(client.sent for client in self.crowd.clients)

    def _check(self) -> None:
        if self.crowd.failure is not None:
            raise self.crowd.failure

    async def _drain(self, expected: int) -> None:
        """Exactly as many as there have to be: none missing, and none too many a moment later."""
        deadline = time.perf_counter() + DRAIN_SECONDS
        while self.crowd.received < expected and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
            self._check()
        await asyncio.sleep(0.05)
        self._check()
        assert self.crowd.received == expected, f"{self.crowd.received} of {expected} deliveries"
