"""A chat in lines of text: it runs the commands of a person, and prints the events of their client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from chat_client import ChatClient, ChatError, ConnectionLost

from .directory import Directory, NotFound

Data = dict[str, Any]

HELP = """\
Write a line to send it. A line that begins with / is a command:
  /rooms                your rooms, with the number of unread messages
  /join ROOM            go to a room: its number, its name, or a username for a direct room
  /new NAME [USER ..]   make a room with these users
  /add USER             add a user to this room
  /history [N]          the last N messages of this room (20)
  /who                  who is in this room, and who is online
  /typing               show the others that you are typing
  /help, /quit"""


class Terminal:
    """`run(lines)` runs until the lines end, or one is /quit. `on_event` takes the events of the client.

    `connect` gives it the client, which needs `on_event` when it is made.
    """

    client: ChatClient
    directory: Directory

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write
        self.room: Data | None = None
        self._marks: dict[tuple[str, str], str] = {}
        # The last seq of this room that was printed.
        self._shown = 0
        # Messages that arrive while history is read are printed after it.
        self._showing = asyncio.Lock()

    def connect(self, client: ChatClient) -> None:
        self.client = client
        self.directory = Directory(client)

    async def run(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            command, _, rest = line.strip().partition(" ")
            try:
                if command == "/quit":
                    return
                if command.startswith("/"):
                    await self._command(command, rest.strip())
                elif line.strip():
                    await self._send(line.strip())
            except NotFound as error:
                self.write(str(error))
            except ChatError as error:
                self.write(f"! {error}")
            except ConnectionLost:
                self.write("! The connection was lost; try again.")

    # --- commands -----------------------------------------------------------------------------------------------

    async def _command(self, command: str, rest: str) -> None:
        if command == "/rooms":
            await self.show_rooms()
        elif command == "/join" and rest:
            await self.join(rest)
        elif command == "/new" and rest:
            await self._new(*rest.split())
        elif command == "/add" and rest:
            user = await self.directory.find_user(rest)
            await self.client.rest("POST", f"{self._path()}/members", json={"userId": user["id"]})
            self.write(f"{user['username']} is in the room.")
        elif command == "/history":
            async with self._showing:
                await self._history(int(rest) if rest.isdigit() else 20)
        elif command == "/who":
            await self._who()
        elif command == "/typing":
            await self.client.request("typing", {"roomId": self._here()["id"], "isTyping": True})
        else:
            self.write(HELP)

    async def show_rooms(self) -> None:
        page = await self.client.rest("GET", "/api/rooms", params={"limit": 50})
        self.directory.listed = page["results"]
        for number, room in enumerate(self.directory.listed, 1):
            unread = f"  {room['unreadCount']} unread" if room["unreadCount"] else ""
            self.write(f"  {number}  {await self.directory.title(room)}{unread}")
        if not self.directory.listed:
            self.write("  You have no rooms yet: /new NAME makes one, /join USERNAME writes to a user.")

    async def join(self, wanted: str) -> None:
        room = await self.directory.find_room(wanted)
        async with self._showing:
            self.room, self._shown = room, 0
            self.write(f"--- {await self.directory.title(room)} ---")
            await self._history(20)

    async def _new(self, name: str, *usernames: str) -> None:
        users = [await self.directory.find_user(username) for username in usernames]
        body = {"name": name, "memberIds": [user["id"] for user in users]}
        room = await self.client.rest("POST", "/api/rooms", json=body)
        await self.join(room["id"])

    async def _send(self, content: str) -> None:
        await self.client.send(content, room_id=self._here()["id"])

    async def _history(self, count: int) -> None:
        page = await self.client.rest(
            "GET", f"{self._path()}/messages", params={"limit": max(1, min(count, 200))}
        )
        for message in page["results"]:
            await self._show(message)
        if page["results"]:
            self._shown = page["results"][-1]["seq"]
            await self._read(page["results"][-1])

    async def _who(self) -> None:
        for member in await self.client.rest("GET", f"{self._path()}/presence"):
            state = "online" if member["online"] else f"last seen {clock(member['lastSeen'])}"
            self.write(f"  {await self.directory.name(member['userId'])}: {state}")

    # --- events -------------------------------------------------------------------------------------------------

    async def on_event(self, event: str, data: Data) -> None:
        here = self.room is not None and data.get("roomId") == self.room["id"]
        mine = data.get("userId") == self.client.user_id
        if event == "message:receive":
            await (self._receive(data) if here else self._receive_elsewhere(data))
        elif event == "message:ack" and here and not mine:
            await self._tick(data)
        elif event == "typing" and here and data["isTyping"]:
            self.write(f"  {await self.directory.name(data['userId'])} is typing")
        elif event == "presence:update" and not mine:
            state = "online" if data["online"] else "offline"
            self.write(f"  {await self.directory.name(data['userId'])} is {state}")
        elif event in ("message:updated", "message:deleted") and here:
            self.write(f"  #{data['seq']} was {'edited' if event == 'message:updated' else 'deleted'}:")
            await self._show(data)
        elif event == "room:reset" and here:
            async with self._showing:
                self._shown = data["lastSeq"]
                self.write(f"  The server has an older copy of this room, up to #{self._shown}.")
        elif event == "room:added":
            self.write(f"  You are in {await self.directory.title(data)} now.")

    async def _receive(self, message: Data) -> None:
        async with self._showing:
            if message["seq"] <= self._shown:
                return
            self._shown = message["seq"]
            await self._show(message)
        if message["from"] != self.client.user_id:
            await self._read(message)

    async def _receive_elsewhere(self, message: Data) -> None:
        sender = await self.directory.name(message["from"])
        self.write(f"  ({sender} in another room: {message['content']})")

    async def _show(self, message: Data) -> None:
        mine = message["from"] == self.client.user_id
        sender = "you" if mine else await self.directory.name(message["from"])
        content = "(deleted)" if message["type"] == "deleted" else message["content"]
        self.write(f"{clock(message['createdAt'])} #{message['seq']} {sender}: {content}")

    async def _read(self, message: Data) -> None:
        ack = {"roomId": message["roomId"], "seq": message["seq"], "status": "read"}
        await self.client.request("message:ack", ack)

    async def _tick(self, marks: Data) -> None:
        """Print a line if the member has read more, or else received more, than the last line said."""
        name = await self.directory.name(marks["userId"])
        mark = (
            f"read by {name} up to #{marks['readSeq']}" if marks["readSeq"] == marks["deliveredSeq"] else ""
        )
        mark = mark or f"delivered to {name} up to #{marks['deliveredSeq']}"
        if self._marks.get((marks["roomId"], marks["userId"])) != mark:
            self._marks[marks["roomId"], marks["userId"]] = mark
            self.write(f"  {'✓✓' if mark.startswith('read') else '✓'} {mark}")

    def _here(self) -> Data:
        if self.room is None:
            raise NotFound("You are in no room: /rooms lists yours, /join ROOM goes there.")
        return self.room

    def _path(self) -> str:
        return f"/api/rooms/{self._here()['id']}"


def clock(moment: str | None) -> str:
    """Local time as hour and minute, with the day if it is not today."""
    if moment is None:
        return "never"
    local = datetime.fromisoformat(moment).astimezone()
    return local.strftime("%H:%M" if local.date() == datetime.now().astimezone().date() else "%d %b %H:%M")
