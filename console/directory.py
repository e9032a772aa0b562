"""The rooms and users that a person names in the terminal, and the names that are shown for them."""

from typing import Any

from chat_client import ChatClient

Data = dict[str, Any]


class NotFound(Exception):
    """No room or user matches. The text is shown to the person at the terminal."""


class Directory:
    """Looks up rooms and users over REST and remembers the names of users."""

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        # The rooms in the last list that was shown, so that a number can name one.
        self.listed: list[Data] = []
        self._names: dict[str, str] = {}

    async def find_room(self, wanted: str) -> Data:
        """A room by its number in the last list, id or name, else the direct room with the user of that name."""
        if wanted.isdigit() and 0 < int(wanted) <= len(self.listed):
            return self.listed[int(wanted) - 1]
        page = await self.client.rest("GET", "/api/rooms", params={"limit": 100})
        for room in page["results"]:
            if wanted == room["id"] or (room["name"] and wanted.lower() == room["name"].lower()):
                return dict(room)
        user = await self.find_user(wanted)
        return dict(await self.client.rest("POST", "/api/rooms/direct", json={"userId": user["id"]}))

    async def find_user(self, username: str) -> Data:
        page = await self.client.rest("GET", "/api/users", params={"search": username, "limit": 20})
        for user in page["results"]:
            if user["username"].lower() == username.lower():
                self._names[user["id"]] = user["username"]
                return dict(user)
        raise NotFound(f"Neither a room of yours nor a user is called {username!r}.")

    async def title(self, room: Data) -> str:
        return str(room["name"]) if room["kind"] == "group" else await self.name(room["to"])

    async def name(self, user_id: str) -> str:
        if user_id not in self._names:
            user = await self.client.rest("GET", f"/api/users/{user_id}")
            self._names[user_id] = user["username"]
        return self._names[user_id]
