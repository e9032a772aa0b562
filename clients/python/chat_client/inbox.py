"""Received events on their way to the application: each message once, and in the order of its room."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

logger = logging.getLogger(__name__)

Data = dict[str, Any]
OnEvent = Callable[[str, Data], Awaitable[None] | None]

# Deliveries within this period share one message:ack for each room.
ACK_SECONDS = 0.25
MAX_WAITING_EVENTS = 2000
# In the queue of events: all changes up to `serverTime` are before it.
CAUGHT_UP = ""


class Inbox:
    """Queues events for `on_event`, drops repeated messages, and marks the rooms that have a gap.

    `seen` has the last seq of each room that the application handled, `received` the last seq that was queued.
    `since` is a server time; edits and deletions made later may be unknown. It is "" before the first connection.
    """

    def __init__(self, on_event: OnEvent, state: Data) -> None:
        self.on_event = on_event
        self.user_id = ""
        self.seen: dict[str, int] = dict(state["rooms"])
        self.received = dict(self.seen)
        self.since: str = state["since"]
        self.gaps: set[str] = set()
        # Whether the connection is not the first, and the rooms that it has named so far.
        self._returns, self._listed = False, set[str]()
        self.gap_found = asyncio.Event()
        # Whether events were dropped, whether a resume is being answered, and how many messages were queued.
        self.dropped, self.resuming, self.progress = False, False, 0
        self.events: asyncio.Queue[tuple[str, Data]] = asyncio.Queue()
        self._to_ack: dict[str, int] = {}
        self._handled = asyncio.Event()

    @property
    def full(self) -> bool:
        return self.events.qsize() >= MAX_WAITING_EVENTS

    def begin(self, ready: Data) -> None:
        """A connection is ready. If it is not the first, every room may have missed messages."""
        self.user_id = ready["userId"]
        self._returns, self._listed, self.gaps = bool(self.since), set(), set()
        if not self._returns:
            self.seen, self.received, self.since = {}, {}, ready["serverTime"]
        self.list_rooms(ready["rooms"], more=ready.get("moreRooms", False))

    def list_rooms(self, rooms: dict[str, int], *, more: bool) -> None:
        """Take rooms of `ready` or of a later `ready:rooms`. After the last one, rooms that none of them named are
        not the user's any more."""
        self._listed |= rooms.keys()
        if not self._returns:
            self.seen, self.received = rooms | self.seen, rooms | self.received
        elif more:
            self.mark_gaps(*rooms)
        else:
            for room in self.received.keys() - self._listed:
                self.forget(room)
            # Those of the first parts again: changes are known up to a time only if all rooms are asked at once.
            self.mark_gaps(*self._listed)

    def receive(self, event: str, data: Data) -> None:
        """Queue an event. A message is queued only if it is the next of its room."""
        # What a resume sends has the server's own bound, and dropping it would only bring it again.
        if self.full and not self.resuming:
            # The application is slow: read the rest from the log later.
            self.dropped = True
            self.mark_gaps(*self.received)
        elif event == "message:receive":
            self._receive_message(data)
        else:
            if event == "room:added":
                self.adopt(data)
            elif event == "room:removed":
                self.forget(data["roomId"])
            self.events.put_nowait((event, data))

    def _receive_message(self, message: Data) -> None:
        room, seq = message["roomId"], message["seq"]
        received = self.received.get(room)
        if received is not None and seq == received + 1:
            self.received[room] = seq
            self.progress += 1
            self.events.put_nowait(("message:receive", message))
        elif received is None or seq > received:
            # The resume brings the missing messages and this one again.
            self.mark_gaps(room)

    def adopt(self, room: Data) -> None:
        """Count a new room from the point where the user joined. Later messages may have been missed."""
        self._listed.add(room["id"])
        received = self.received.setdefault(room["id"], room["lastSeq"] - room["unreadCount"])
        if room["lastSeq"] > received:
            self.mark_gaps(room["id"])

    def forget(self, room: str) -> None:
        """The room is not the user's any more."""
        for known in (self.seen, self.received, self._to_ack):
            known.pop(room, None)
        self.gaps.discard(room)
        self._listed.discard(room)

    def reset(self, room: str, last_seq: int) -> None:
        """The server has an older log of this room, from a backup: begin the room anew."""
        self.received[room] = last_seq
        self.events.put_nowait(("room:reset", {"roomId": room, "lastSeq": last_seq}))

    def caught_up(self, server_time: str) -> None:
        """All changes up to this time are queued. `since` follows when the application has handled them."""
        self.events.put_nowait((CAUGHT_UP, {"serverTime": server_time}))

    def mark_gaps(self, *rooms: str) -> None:
        self.gaps.update(rooms)
        self.gap_found.set()

    async def deliver(self) -> None:
        """Call `on_event` for each queued event, one after the other, without end. Its errors are logged."""
        while True:
            event, data = await self.events.get()
            if event == CAUGHT_UP:
                self.since = data["serverTime"]
            else:
                await self._hand_over(event, data)
            self.events.task_done()

    async def _hand_over(self, event: str, data: Data) -> None:
        try:
            result = self.on_event(event, data)
            if inspect.isawaitable(result):
                await result
        except Exception:
            logger.exception("on_event failed for %s", event)
        room = data.get("roomId", "")
        if event == "message:receive" and room in self.received:
            self.seen[room] = data["seq"]
            if data["from"] != self.user_id:
                self._to_ack[room] = data["seq"]
                self._handled.set()
        elif event == "room:reset":
            self.seen[room] = data["lastSeq"]
            self._to_ack.pop(room, None)

    async def acknowledge(self, write: Callable[[Data], Awaitable[None]]) -> None:
        """Report delivered messages to the server, so that their senders see it, for as long as `write` works."""
        while True:
            await self._handled.wait()
            await asyncio.sleep(ACK_SECONDS)
            self._handled.clear()
            acks, self._to_ack = self._to_ack, {}
            for room, seq in acks.items():
                await write(
                    {"event": "message:ack", "data": {"roomId": room, "seq": seq, "status": "delivered"}}
                )
