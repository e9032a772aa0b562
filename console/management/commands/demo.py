"""`manage.py demo`: two new users chat through a running server. Every frame is shown."""

import asyncio
import json
import re
import secrets
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chat_client import ChatClient, ChatError

STEP_SECONDS = 15.0
LONG_ID = re.compile(r"[0-9a-f-]{28,32}([0-9a-f]{4})\b")


class Command(BaseCommand):
    help = "Two new users chat through a running server; one loses the connection and catches up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=f"http://{settings.HOST}:{settings.PORT}", help="%(default)s")
        parser.add_argument("--full", action="store_true", help="show complete ids")

    def handle(self, *args: Any, url: str, full: bool, **options: Any) -> None:
        def write(line: str) -> None:
            self.stdout.write(line if full else LONG_ID.sub(r"…\1", line))

        try:
            asyncio.run(Demo(url, write).run())
        except ChatError as error:
            raise CommandError(f"The server refused: {error}") from error
        except httpx.HTTPError as error:
            raise CommandError(f"No server answers at {url}; start it with `make run`. ({error})") from error
        except TimeoutError as error:
            raise CommandError(
                "An expected event did not arrive; the frames above show how far the demo got."
            ) from error


class Inbox:
    """The events that one user got. `until` waits for more."""

    def __init__(self) -> None:
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._grown = asyncio.Event()

    def take(self, event: str, data: dict[str, Any]) -> None:
        self._events.append((event, data))
        self._grown.set()

    async def until(self, wanted: Callable[[str, dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(STEP_SECONDS):
            while not any(wanted(event, data) for event, data in self._events):
                self._grown.clear()
                await self._grown.wait()


class Demo:
    """The steps of the demo. `write` prints a line."""

    def __init__(self, url: str, write: Callable[[str], Any]) -> None:
        self.url = url
        self.write = write

    async def run(self) -> None:
        self.write(f"Two users sign up at {self.url}.")
        (alice, alice_inbox), (bob, bob_inbox) = await self.sign_up("alice"), await self.sign_up("bob")
        async with alice:
            async with bob:
                room_id = await self.talk(alice, bob, bob_inbox)
                state = bob.state
            self.write("\nBob's connection ends. Alice goes on writing.")
            for text in ("Are you still there?", "I will just go on.", "You will catch up."):
                await alice.send(text, room_id=room_id)

            self.write("\nBob comes back and resumes: nothing is missing, and nothing comes twice.")
            async with ChatClient(
                self.url,
                access_token=bob.access_token,
                refresh_token=bob.refresh_token,
                state=state,
                **self.options("bob", bob_inbox),
            ):
                await bob_inbox.until(message(5))
                await alice_inbox.until(
                    lambda event, data: event == "message:ack" and data["deliveredSeq"] == 5
                )
            receipts = await self.receipts(alice, room_id)
            self.write(f"\nThe receipts of Alice's last message: {json.dumps(receipts)}")

    async def talk(self, alice: ChatClient, bob: ChatClient, inbox: Inbox) -> str:
        room = await alice.rest("POST", "/api/rooms/direct", json={"userId": bob.user_id})
        room_id = str(room["id"])
        self.write(f"\nAlice opens a direct room with Bob: {room_id}.")
        await inbox.until(lambda event, data: event == "room:added")

        self.write("\nAlice types and writes; Bob reads.")
        await alice.request("typing", {"roomId": room_id, "isTyping": True})
        await alice.send("Hello Bob!", room_id=room_id)
        await inbox.until(message(1))
        await bob.request("message:ack", {"roomId": room_id, "seq": 1, "status": "read"})
        await bob.send("Hello Alice, I can read you.", room_id=room_id)
        await inbox.until(message(2))
        return room_id

    async def sign_up(self, name: str) -> tuple[ChatClient, Inbox]:
        username, inbox = f"{name}_{secrets.token_hex(3)}", Inbox()
        body = {
            "username": username,
            "email": f"{username}@example.com",
            "password": secrets.token_urlsafe(12),
        }
        client = await ChatClient.signup(
            self.url, {**body, "displayName": name.title()}, **self.options(name, inbox)
        )
        return client, inbox

    def options(self, name: str, inbox: Inbox) -> dict[str, Any]:
        return {
            "on_event": inbox.take,
            "on_frame": lambda direction, frame: self.show(name, direction, frame),
        }

    async def receipts(self, client: ChatClient, room_id: str) -> Any:
        page = await client.rest("GET", f"/api/rooms/{room_id}/messages", params={"limit": 1})
        message_id = page["results"][0]["id"]
        return await client.rest("GET", f"/api/rooms/{room_id}/messages/{message_id}/receipts")

    def show(self, name: str, direction: str, frame: dict[str, Any]) -> None:
        arrow = {"out": "→", "in": "←"}[direction]
        ref = f"#{frame['ref']} " if "ref" in frame else ""
        self.write(f"{name:>5} {arrow} {frame['event']:<16} {ref}{json.dumps(frame['data'])}")


def message(seq: int) -> Callable[[str, dict[str, Any]], bool]:
    return lambda event, data: event == "message:receive" and data["seq"] == seq
