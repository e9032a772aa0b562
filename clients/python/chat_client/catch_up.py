"""Closes the gaps of an inbox: asks for missed messages with `resume`, and reads history for large gaps."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .delays import backoff_seconds, patiently
from .errors import ChatError
from .inbox import MAX_WAITING_EVENTS, Inbox

Data = dict[str, Any]

HISTORY_PAGE, RESUME_ROOMS = 200, 1000
# The part of a `resume` frame that one room takes: id, seq and punctuation.
RESUME_ROOM_BYTES = 64


class CatchUp:
    """`ask` sends a request on the socket, `rest` calls the REST API; both as the client's own methods do."""

    def __init__(
        self,
        inbox: Inbox,
        ask: Callable[[str, Data], Awaitable[Data]],
        rest: Callable[..., Awaitable[Any]],
    ) -> None:
        self._inbox = inbox
        self._ask = ask
        self._rest = rest

    async def run(self, max_frame_bytes: int) -> None:
        """Close gaps, one resume at a time, for as long as the connection lives."""
        inbox, idle = self._inbox, 0
        batch = min(RESUME_ROOMS, max_frame_bytes // RESUME_ROOM_BYTES + 1)
        while True:
            await inbox.gap_found.wait()
            inbox.gap_found.clear()
            progress = inbox.progress
            await self._close_gaps(batch)
            idle = 0 if inbox.progress > progress else idle + 1
            if inbox.gaps:
                await asyncio.sleep(backoff_seconds(idle) if idle else 0)

    async def _close_gaps(self, batch: int) -> None:
        """Ask once for the messages and changes that the rooms with gaps have missed."""
        inbox = self._inbox
        rooms, everything = list(inbox.gaps), inbox.received.keys() <= inbox.gaps
        inbox.dropped = False
        times = [await self._resume(rooms[n : n + batch]) for n in range(0, len(rooms), batch)]
        # Only now are the changes of all rooms known up to this time. A part of the rooms says nothing of the rest.
        if times and everything and not inbox.dropped:
            inbox.caught_up(min(times))

    async def _resume(self, rooms: list[str]) -> str:
        """Resume these rooms until the server has sent all changes. Returns the time up to which that is so."""
        inbox, since, more = self._inbox, self._inbox.since, True
        for room in rooms:
            # Joined while away.
            if room not in inbox.received and (data := await self._read(room)):
                inbox.adopt(data)
        inbox.gaps -= set(rooms)
        while more:
            await self._drained()
            wanted = {room: inbox.received[room] for room in rooms if room in inbox.received}
            if not wanted:
                break
            reply = await self._replayed({"rooms": wanted, "since": since})
            since, more = reply["serverTime"], reply.get("more", False)
            for room in wanted.keys() - reply["rooms"].keys():
                inbox.forget(room)
            for room, answer in reply["rooms"].items():
                if answer.get("reset"):
                    inbox.reset(room, answer["lastSeq"])
                # A log with a hole is not complete, whatever the answer says. A page goes on behind the hole.
                elif not answer["complete"] or answer["through"] > inbox.received.get(room, 0):
                    await self._read_history(room)
        return since

    async def _replayed(self, data: Data) -> Data:
        self._inbox.resuming = True
        try:
            return await patiently(lambda: self._ask("resume", data))
        finally:
            self._inbox.resuming = False

    async def _read_history(self, room: str) -> None:
        """Read the pages that follow the last received seq, for a gap that is too large for a resume."""
        inbox, more = self._inbox, True
        while more and room in inbox.received:
            await self._drained()
            query = {"after": inbox.received[room], "limit": HISTORY_PAGE}
            page = await self._read(room, "/messages", params=query)
            if page is None or room not in inbox.received:
                return
            messages = page["results"]
            more = page["hasMore"] and bool(messages)
            # Messages before the first one of the page can no longer be read.
            unavailable = (messages[0]["seq"] if messages else page.get("firstSeq", 1)) - 1
            inbox.received[room] = max(inbox.received[room], unavailable)
            for message in messages:
                inbox.receive("message:receive", message)

    async def _read(self, room: str, path: str = "", **options: Any) -> Any:
        """GET a path of a room. Returns None if the room is not the user's any more, and forgets it."""
        try:
            return await patiently(lambda: self._rest("GET", f"/api/rooms/{room}{path}", **options))
        except ChatError as error:
            if error.code != "not_found":
                raise
            self._inbox.forget(room)

    async def _drained(self) -> None:
        """Wait for a slow application."""
        if self._inbox.events.qsize() > MAX_WAITING_EVENTS // 2:
            await self._inbox.events.join()
