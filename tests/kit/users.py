"""Users of a chat server, with REST and sockets."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect

from .clients import ChatSocketClient

if TYPE_CHECKING:
    from .servers import ChatServer

PASSWORD = "correct horse battery staple"


class ChatUser:
    """A signed-up user at one server: `http` is their REST client, `connect` opens sockets."""

    def __init__(self, server: "ChatServer", session: dict[str, Any]) -> None:
        self.server = server
        self.id: str = session["user"]["id"]
        self.username: str = session["user"]["username"]
        self.email: str = session["user"]["email"]
        self.access_token: str = session["accessToken"]
        self.refresh_token: str = session["refreshToken"]
        self.http = server.http(self)

    def login(self, server: "ChatServer | None" = None) -> "ChatUser":
        """Logs in again, on this server or another. Returns the same user with another session."""
        server = server or self.server
        body = {"email": self.email, "password": PASSWORD}
        with server.http() as http:
            answer = http.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        return ChatUser(server, answer.json())

    def on(self, server: "ChatServer") -> "ChatUser":
        """Returns the same user and session at another server process."""
        other = object.__new__(ChatUser)
        other.__dict__ |= self.__dict__
        other.server, other.http = server, server.http(self)
        return other

    def make_room(self, *members: "ChatUser", name: str = "room") -> str:
        """Creates a room with these members and returns its id."""
        body = {"name": name, "memberIds": [member.id for member in members]}
        answer = self.http.post("/api/rooms", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def send(self, room_id: str, content: str, **fields: Any) -> dict[str, Any]:
        """Sends a message over REST and returns it."""
        answer = self.http.post(f"/api/rooms/{room_id}/messages", json={"content": content, **fields})
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def history(self, room_id: str, **query: Any) -> list[dict[str, Any]]:
        """Returns one page of the room's messages, at most 200."""
        answer = self.http.get(f"/api/rooms/{room_id}/messages", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    @contextlib.asynccontextmanager
    async def connect(self, *, device_id: str = "", ready: bool = True) -> AsyncIterator["ChatSocketClient"]:
        """Opens a socket. With `ready` it waits for the `ready` event, whose data is then in `client.ready`."""
        url = f"{self.server.ws_url}?deviceId={device_id}" if device_id else self.server.ws_url
        headers = {"Authorization": f"Bearer {self.access_token}"}
        # The client sends no pings: they would queue behind its frames, and time out on a busy machine.
        options: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None}
        async with connect(url, additional_headers=headers, **options) as ws:
            client = ChatSocketClient(ws)
            if ready:
                client.ready = (await client.expect("ready"))["data"]
            yield client
