"""A client of the chat's WebSocket for tests: it keeps every frame, and waits for the frame a test expects."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

ANSWER_SECONDS = 30.0

Frame = dict[str, Any]


class ChatSocketClient:
    """Wraps an open WebSocket.

    `frames` holds every frame in order of arrival. A frame that `expect` has returned is not returned again.
    """

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.ready: dict[str, Any] = {}
        self.frames: list[Frame] = []
        self._unread: list[Frame] = []
        self._refs = 0

    async def send_raw(self, frame: str | bytes) -> None:
        await self.ws.send(frame)

    async def send(self, event: str, data: Any = None, **envelope: Any) -> None:
        await self.ws.send(json.dumps({"event": event, "data": {} if data is None else data, **envelope}))

    async def request(self, event: str, data: Any = None) -> Frame:
        """Sends a frame with a ref and returns its answer: a reply or an error."""
        self._refs += 1
        ref = f"r{self._refs}"
        await self.send(event, data, ref=ref)
        return await self.expect(lambda frame: frame.get("ref") == ref)

    async def reply(self, event: str, data: Any = None) -> Any:
        """Sends a request and returns the data of its reply. An error fails the test."""
        answer = await self.request(event, data)
        assert answer["event"] == "reply", answer
        return answer["data"]

    async def error(self, event: str, data: Any = None) -> Any:
        """Sends a request and returns the data of its error. A reply fails the test."""
        answer = await self.request(event, data)
        assert answer["event"].startswith("error:"), answer
        assert answer["event"] == f"error:{answer['data']['code']}"
        return answer["data"]

    async def expect(
        self, wanted: str | Callable[[Frame], bool], *, seconds: float = ANSWER_SECONDS
    ) -> Frame:
        """Returns the first frame not yet returned that matches: an event name, or a predicate of the frame."""
        matches = (lambda frame: frame["event"] == wanted) if isinstance(wanted, str) else wanted
        for frame in self._unread:
            if matches(frame):
                self._unread.remove(frame)
                return frame
        try:
            async with asyncio.timeout(seconds):
                while True:
                    frame = json.loads(await self.ws.recv())
                    self.frames.append(frame)
                    if matches(frame):
                        return frame
                    self._unread.append(frame)
        except TimeoutError:
            raise AssertionError(f"{wanted} did not come; unread are {self._unread[-10:]}") from None

    async def all_rooms(self) -> dict[str, int]:
        """The heads of all rooms, of `ready` and of each `ready:rooms` that follows it."""
        rooms, more = dict(self.ready["rooms"]), self.ready["moreRooms"]
        while more:
            data = (await self.expect("ready:rooms"))["data"]
            rooms, more = rooms | data["rooms"], data["more"]
        return rooms

    async def read_all(self) -> list[Frame]:
        """Returns the frames not yet returned, up to the reply to a ping that is sent now.

        The server answers in order, so every frame that it sent before the ping is among them.
        """
        await self.reply("ping")
        taken, self._unread = self._unread, []
        return taken

    async def close_code(self, *, seconds: float = ANSWER_SECONDS) -> int:
        """Waits for the server to close, and returns the close code. Frames before it are kept."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    frame = json.loads(await self.ws.recv())
                    self.frames.append(frame)
                    self._unread.append(frame)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise AssertionError("the connection was cut without a close frame") from closed
            return closed.rcvd.code
        except TimeoutError:
            raise AssertionError("the server did not close the connection") from None
