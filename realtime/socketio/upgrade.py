"""The upgrade from polling to a WebSocket, up to the packet that completes it.

    client, on the WebSocket    2probe
    server, on the WebSocket    3probe, and NOOP to a poll that waits
    client                      waits for the answer to its poll, then sends 5

Until then polling goes on, because there are proxies that break WebSockets in every way.
"""

import asyncio
from typing import Any, Protocol

from engineio.packet import PING, PONG, UPGRADE

from foundation import loop

UPGRADE_SECONDS = 10.0
FIRST_POLL_SECONDS = 0.1
PROBE = "probe"
# What python-engineio reads of an upgrade that has completed.
UPGRADE_PACKETS = (f"{PING}{PROBE}", str(UPGRADE))


class Polled(Protocol):
    """The parts of an EngineTransport that a probe needs."""

    closed: bool
    upgraded: bool

    def end_poll(self) -> None: ...


async def probe(transport: Polled, ws: Any) -> bool:
    """Whether the client completed its upgrade over this WebSocket, in UPGRADE_SECONDS, and as the first one."""
    ending: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(UPGRADE_SECONDS):
            if await ws.wait() != UPGRADE_PACKETS[0]:
                return False
            await ws.send(f"{PONG}{PROBE}")
            ending = asyncio.create_task(_end_polls(transport), name="socket.io-upgrade")
            complete = await ws.wait() == UPGRADE_PACKETS[1]
    except (OSError, TimeoutError):
        return False
    finally:
        await loop.cancel(ending)
    return complete and not transport.closed and not transport.upgraded


async def _end_polls(transport: Polled) -> None:
    """End the poll that waits now, and later ones: the client may begin one before it has read the answer to its
    probe. More and more rarely, because a client that never reads the answer goes on polling."""
    seconds = FIRST_POLL_SECONDS
    while True:
        transport.end_poll()
        await asyncio.sleep(seconds)
        seconds *= 2
