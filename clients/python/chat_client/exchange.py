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


class Exchange:
    """Sends frames, and matches each answer to its request by `ref`. `socket` is None without a connection."""

    def __init__(self, on_frame: OnFrame, answer_seconds: float) -> None:
        self.socket: ClientConnection | None = None
        self.on_frame = on_frame
        self.max_frame_bytes = 0
        self._answer_seconds = answer_seconds
        self._answers: dict[int, asyncio.Future[Data]] = {}
        self._refs = count(1)
        self._unread: Data | None = None

    async def ask(self, event: str, data: Data) -> Data:
        """Send a request and return the data of its reply. Raises ChatError, ConnectionLost."""
        ref, unread = next(self._refs), self._unread
        future = self._answers[ref] = asyncio.get_running_loop().create_future()
        try:
            await self.write({"event": event, "data": data, "ref": ref})
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the answer.
            async with asyncio.timeout(self._answer_seconds):
                frame = await future
        except TimeoutError as error:
            # The server could not read some frame since, and probably this one.
            if self._unread is not None and self._unread is not unread:
                raise ChatError(self._unread) from error
            raise ConnectionLost from error
        finally:
            self._answers.pop(ref, None)
        if frame["event"] != "reply":
            raise ChatError(frame["data"])
        return dict(frame["data"])

    async def write(self, frame: Data) -> None:
        """Send a frame as it is. Raises ConnectionLost, and ChatError for one that is too large."""
        if self.socket is None:
            raise ConnectionLost
        text = json.dumps(frame)
        if len(text) > self.max_frame_bytes:
            # The server would close the connection (1009), and again after each attempt.
            message = f"A frame of {frame['event']} is too large to send."
            raise ChatError({"code": "too_large", "message": message})
        self.on_frame("out", frame)
        try:
            await self.socket.send(text)
        except ConnectionClosed as error:
            raise ConnectionLost from error

    def take_answer(self, frame: Data) -> bool:
        """Whether `frame` answers a request. The request continues, unless it waits no more."""
        ref = frame.get("ref")
        if ref is None:
            if frame["event"] == "error:invalid":
                self._unread = frame["data"]
            return False
        future = self._answers.pop(ref, None)
        if future is not None and not future.done():
            future.set_result(frame)
        return True

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
