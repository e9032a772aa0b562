"""The shapes of load: one message at a time, several senders at once, or a fixed rate."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .clients import Client, Crowd, Decoded

DRAIN_SECONDS = 60.0


@dataclass
class Result:
    """Messages sent, deliveries, and times in seconds; p50 and p99 are latencies of a delivery."""

    sent: int
    delivered: int
    wall: float
    p50: float
    p99: float


class Load:
    """Drives a crowd. Every message has to reach all `room_size` members of its room."""

    def __init__(self, crowd: Crowd, *, room_size: int) -> None:
        self.crowd = crowd
        self.room_size = room_size
        self._stopping = False

    async def run(self, start: Callable[[], Any], enough: Callable[[float], bool]) -> Result:
        """Send until `enough(elapsed_seconds)` is true, then wait until every message is delivered.

        `start` begins a shape and returns its task, if it has one. Raises the first error that a client met.
        """
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
        """One sender, who sends the next message when the whole room has received the last."""
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
        """Each sender sends the next message when it has received its last."""

        def on_message(client: Client, got: Decoded) -> None:
            if got.sender == client.index and not self._stopping:
                client.send()

        self.crowd.on_message = on_message
        for client in senders:
            client.send()

    def at_rate(self, senders: list[Client], per_second: float) -> "asyncio.Task[None]":
        """Evenly spaced messages, independent of deliveries. The senders take turns."""
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
        """Wait for `expected` deliveries in total, and check a moment later that there are no more."""
        deadline = time.perf_counter() + DRAIN_SECONDS
        while self.crowd.received < expected and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
            self._check()
        await asyncio.sleep(0.05)
        self._check()
        assert self.crowd.received == expected, f"{self.crowd.received} of {expected} deliveries"
