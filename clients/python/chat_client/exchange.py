"""Frames on the current socket: requests with their answers, and frames without an answer."""

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .errors import ChatError, ConnectionLost

Data = dict[str, Any]
OnFrame = Callable[[str, Data], None]

ANSWER_SECONDS = 15.0


class Exchange:
    """Sends frames, and matches each answer to its request by `ref`. `socket` is None without a connection."""

    def __init__(self, on_frame: OnFrame) -> None:
        self.socket: ClientConnection | None = None
        self.on_frame = on_frame
        self._answers: dict[int, asyncio.Future[Data]] = {}
        self._refs = count(1)

    async def ask(self, event: str, data: Data) -> Data:
        """Send a request and return the data of its reply. Raises ChatError, ConnectionLost."""
        ref = next(self._refs)
        future = self._answers[ref] = asyncio.get_running_loop().create_future()
        try:
            await self.write({"event": event, "data": data, "ref": ref})
            frame = await asyncio.wait_for(future, ANSWER_SECONDS)
        except TimeoutError as error:
            raise ConnectionLost from error
        finally:
            self._answers.pop(ref, None)
        if frame["event"] != "reply":
            raise ChatError(frame["data"])
        return dict(frame["data"])

    async def write(self, frame: Data) -> None:
        """Send a frame as it is. Raises ConnectionLost."""
        if self.socket is None:
            raise ConnectionLost
        self.on_frame("out", frame)
        try:
            await self.socket.send(json.dumps(frame))
        except ConnectionClosed as error:
            raise ConnectionLost from error

    def take_answer(self, frame: Data) -> bool:
        """Whether `frame` answers a request, which then continues."""
        future = self._answers.pop(frame.get("ref", 0), None)
        if future is not None and not future.done():
            future.set_result(frame)
        return future is not None

    def drop(self) -> None:
        """Cut the connection without a close frame, as a lost network does."""
        if self.socket is not None:
            self.socket.transport.abort()

    def end(self) -> None:
        """Forget the socket. All requests that wait for an answer raise ConnectionLost."""
        self.socket = None
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionLost())
