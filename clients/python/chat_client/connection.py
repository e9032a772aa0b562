"""Keeps one user connected: connects, serves the socket, and reconnects after a delay."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from .catch_up import CatchUp
from .delays import backoff_seconds
from .errors import ChatError, ConnectionLost, SignedOut
from .exchange import Exchange
from .inbox import Inbox
from .tokens import Tokens

logger = logging.getLogger(__name__)

Data = dict[str, Any]

# Close codes (docs/protocol.md).
SESSION_ENDED, ACCOUNT_DEACTIVATED, RATE_LIMITED = 4401, 4403, 4429
# A silent network does not answer the close frame either.
CLOSE_SECONDS = 1.0


class Connection:
    """`run` keeps the socket connected. `ready` is set from the `ready` event until the connection is lost."""

    def __init__(
        self,
        url: str,
        tokens: Tokens,
        exchange: Exchange,
        inbox: Inbox,
        catch_up: CatchUp,
        *,
        ready_seconds: float,
        answer_seconds: float,
        ping_seconds: float,
    ) -> None:
        self.ready = asyncio.Event()
        self._url = url
        self._tokens = tokens
        self._exchange = exchange
        self._inbox = inbox
        self._catch_up = catch_up
        self._ready_seconds = ready_seconds
        self._options: Data = {
            "max_size": None,
            # `ready` has the only deadline.
            "open_timeout": None,
            "ping_interval": ping_seconds,
            "ping_timeout": answer_seconds,
            "close_timeout": CLOSE_SECONDS,
        }
        self._healthy = False

    async def run(self) -> None:
        """Connect again and again. Raises SignedOut when the session or the account has ended."""
        attempt = 0
        while True:
            token = self._tokens.access
            self._healthy = False
            code = await self._connect()
            attempt = 1 if self._healthy else attempt + 1
            self.ready.clear()
            self._exchange.end()
            if self._tokens.refused:
                raise self._tokens.refused
            if code == ACCOUNT_DEACTIVATED:
                raise SignedOut("this account is deactivated")
            if code == SESSION_ENDED:
                await self._tokens.renew_when_possible(token)
            if code == RATE_LIMITED:
                attempt += 4
            await asyncio.sleep(backoff_seconds(attempt))

    async def _connect(self) -> int:
        """One connection from the handshake to its end. Returns the close code, 0 if there was none."""
        try:
            async with (
                asyncio.timeout(self._ready_seconds) as deadline,
                connect(self._url, additional_headers=self._tokens.bearer(), **self._options) as socket,
            ):
                self._exchange.socket = socket
                await self._serve(socket, deadline)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0
        except (OSError, InvalidHandshake):
            # The server is not reachable, or sent no `ready` in time.
            return 0
        return 0

    async def _serve(self, socket: ClientConnection, deadline: asyncio.Timeout) -> None:
        helpers: list[asyncio.Task[None]] = []
        try:
            while True:
                frame = json.loads(await socket.recv())
                self._exchange.on_frame("in", frame)
                if frame["event"] == "ready":
                    deadline.reschedule(None)
                    work = self._begin(frame["data"])
                    helpers = [asyncio.create_task(self._or_drop(coroutine)) for coroutine in work]
                elif frame["event"] == "ready:rooms":
                    self._inbox.list_rooms(**frame["data"])
                if not self._exchange.take_answer(frame):
                    self._inbox.receive(frame["event"], frame["data"])
        finally:
            await cancel(helpers)

    def _begin(self, ready: Data) -> list[Coroutine[Any, Any, None]]:
        self._inbox.begin(ready)
        self._healthy = True
        self._exchange.max_frame_bytes = ready["limits"]["maxFrameBytes"]
        self.ready.set()
        return [
            self._catch_up.run(self._exchange.max_frame_bytes),
            self._inbox.acknowledge(self._exchange.write),
            self._tokens.keep_fresh(ready, self._exchange.ask),
        ]

    async def _or_drop(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that the connection depends on. If it fails, the next connection starts it again, after a
        delay that grows."""
        try:
            await work
        except Exception as error:
            if not isinstance(error, ConnectionLost | ChatError | SignedOut | httpx.HTTPError):
                logger.exception("the connection is replaced")
            self._healthy = False
            self._exchange.drop()


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait for their ends. Their errors are ignored."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
