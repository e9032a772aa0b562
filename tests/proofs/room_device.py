"""A client of the model test. It keeps a copy of a room: a snapshot, changed by the events since then."""

import contextlib
import itertools
from typing import Any

from tests.kit.clients import ChatSocketClient, Frame
from tests.kit.users import ChatUser


class Device:
    """The copy of the room in one user's client."""

    def __init__(self, user: ChatUser, room_id: str) -> None:
        self.user, self.room_id = user, room_id
        self.room: dict[str, Any] | None = None
        self.messages: dict[int, dict[str, Any]] = {}
        self.since = ""
        self.client: ChatSocketClient | None = None
        self._stack = contextlib.AsyncExitStack()

    @property
    def through(self) -> int:
        return next(seq for seq in itertools.count() if seq + 1 not in self.messages)

    async def connect(self) -> None:
        if self.client is not None:
            return
        self.client = await self._stack.enter_async_context(self.user.connect())
        ready = self.client.ready
        if self.room_id not in ready["rooms"]:
            self.room = None
        elif self.room is None:
            self.load()
        else:
            # Members and watermarks are fetched; missed messages come with the resume.
            self.room = self.fetch()
            await self.resume()
        self.since = self.since or ready["serverTime"]

    async def disconnect(self) -> None:
        await self._stack.aclose()
        self.client = None

    async def resume(self) -> None:
        assert self.client is not None
        wanted = {"rooms": {self.room_id: self.through}, "since": self.since}
        reply = await self.client.reply("resume", wanted)
        if self.room_id in reply["rooms"]:
            assert reply["rooms"][self.room_id]["complete"], reply
        self.since = reply["serverTime"]

    def fetch(self) -> dict[str, Any] | None:
        answer = self.user.http.get(f"/api/rooms/{self.room_id}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        detail = answer.json()
        return detail | {"members": {member["userId"]: member for member in detail["members"]}}

    def load(self) -> None:
        self.room = self.fetch()
        if self.room is not None:
            self.messages = {message["seq"]: message for message in self.user.history(self.room_id)}

    async def catch_up(self) -> None:
        assert self.client is not None
        for frame in await self.client.read_all():
            self.apply(frame)
        if self.room is not None and self.messages and self.through < max(self.messages):
            await self.resume()

    def apply(self, frame: Frame) -> None:
        event, data = frame["event"], frame["data"]
        if data.get("roomId", data.get("id")) != self.room_id:
            # An event of the room of an earlier example: delivery is at least once.
            return
        if event == "room:added":
            self.load()
        elif event == "room:removed":
            self.room = None
        elif self.room is not None and event in ("message:receive", "message:updated", "message:deleted"):
            self._apply_message(event, data)
        elif self.room is not None and event == "room:updated":
            self.room |= {"name": data["name"], "meta": data["meta"]}
        elif self.room is not None and event == "room:member":
            if data["member"] is None:
                self.room["members"].pop(data["userId"], None)
            else:
                before = self.room["members"].get(data["userId"], data["member"])
                self.room["members"][data["userId"]] = data["member"]
                self._mark(data["userId"], before["deliveredSeq"], before["readSeq"])
        elif self.room is not None and event == "message:ack":
            self._mark(data["userId"], data["deliveredSeq"], data["readSeq"])

    def _apply_message(self, event: str, data: dict[str, Any]) -> None:
        seq = data["seq"]
        if event == "message:receive":
            self.messages.setdefault(seq, data)
            # Senders have read everything before their message.
            self._mark(data["from"], seq, seq)
        elif seq in self.messages and _age(data) >= _age(self.messages[seq]):
            self.messages[seq] = data

    def _mark(self, user_id: str, delivered: int, read: int) -> None:
        assert self.room is not None
        if member := self.room["members"].get(user_id):
            member["deliveredSeq"] = max(member["deliveredSeq"], delivered)
            member["readSeq"] = max(member["readSeq"], read)

    def snapshot(self) -> dict[str, Any] | None:
        """Returns what REST says about the room, built from the events that this client received."""
        if self.room is None:
            return None
        members, last = self.room["members"], max(self.messages, default=0)
        return {
            "name": self.room["name"],
            "role": members[self.user.id]["role"],
            "lastSeq": last,
            "unreadCount": last - members[self.user.id]["readSeq"],
            "lastMessage": self.messages.get(last),
            "members": members,
            "messages": [self.messages[seq] for seq in sorted(self.messages)],
        }

    def fresh_snapshot(self) -> dict[str, Any] | None:
        """Returns the same from REST."""
        room = self.fetch()
        if room is None:
            return None
        shown = {
            name: room[name] for name in ("name", "role", "lastSeq", "unreadCount", "lastMessage", "members")
        }
        return shown | {"messages": self.user.history(self.room_id)}


def _age(message: dict[str, Any]) -> tuple[bool, str]:
    return message["type"] == "deleted", message["editedAt"] or ""


def view_of(snapshot: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns a snapshot in the form of `Model.view`, which has no ids of messages and no times."""
    if snapshot is None:
        return None
    assert [message["seq"] for message in snapshot["messages"]] == list(range(1, snapshot["lastSeq"] + 1))
    return {
        "name": snapshot["name"],
        "members": {
            user_id: (member["role"], member["deliveredSeq"], member["readSeq"])
            for user_id, member in snapshot["members"].items()
        },
        "messages": [
            (
                message["from"],
                message["content"],
                message["editedAt"] is not None,
                message["type"] == "deleted",
            )
            for message in snapshot["messages"]
        ],
    }
