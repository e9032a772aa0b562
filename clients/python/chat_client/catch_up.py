"""Closes the gaps of an inbox: asks for missed messages with `resume`, and reads history for large gaps."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

from .inbox import MAX_WAITING_EVENTS, Inbox

Data = dict[str, Any]

HISTORY_PAGE, RESUME_ROOMS = 200, 1000


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

    async def run(self) -> None:
        """Close gaps, one resume at a time, for as long as the connection lives."""
        inbox = self._inbox
        while True:
            await inbox.gap_found.wait()
            if inbox.events.qsize() > MAX_WAITING_EVENTS // 2:
                await inbox.events.join()
            # Rooms that the user joined while away.
            for room in inbox.gaps - inbox.received.keys():
                inbox.adopt(await self._rest("GET", f"/api/rooms/{room}"))
            wanted = {room: inbox.received[room] for room in islice(inbox.gaps, RESUME_ROOMS)}
            inbox.gaps -= wanted.keys()
            if not inbox.gaps:
                inbox.gap_found.clear()
            if wanted:
                await self._resume(wanted)

    async def _resume(self, wanted: dict[str, int]) -> None:
        reply = await self._ask("resume", {"rooms": wanted, "since": self._inbox.since})
        self._inbox.since = reply["serverTime"]
        for room, answer in reply["rooms"].items():
            if not answer["complete"]:
                await self._read_history(room)

    async def _read_history(self, room: str) -> None:
        """Read the pages that follow the last received seq. A full inbox leaves the rest as a gap."""
        inbox, more = self._inbox, True
        while more and not inbox.full:
            query = {"after": inbox.received[room], "limit": HISTORY_PAGE}
            page = await self._rest("GET", f"/api/rooms/{room}/messages", params=query)
            more = page["hasMore"]
            # Messages up to this seq can no longer be read.
            archived = page.get("firstSeq", 1) - 1
            inbox.received[room] = max(inbox.received[room], archived)
            for message in page["results"]:
                inbox.receive("message:receive", message)
        if more:
            inbox.mark_gaps(room)
