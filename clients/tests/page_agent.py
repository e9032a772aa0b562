"""docs/example_chat.html in Chromium as one more client, driven as a user does."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from chat_client import ChatError, SignedOut
from tests.kit.browser import Window
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .agents import Data, Log

POLL_SECONDS = 0.1
# The frames since the last call, and [content, what stands beside it] of each message in the open room. As a text,
# because WebDriver carries no strings that were cut through an emoji.
NEWS = """
const shown = [...document.querySelectorAll("#messages li")];
return JSON.stringify([recorded.splice(0), shown.map((one) => [one.firstChild.data, one.lastChild.innerText])]);
"""

# Runs before the page: logs the tab in, and keeps its sockets and frames.
BEFORE_PAGE = """
if (!sessionStorage.session) sessionStorage.session = %s;
window.sockets = [];
window.recorded = [];
const record = (way, text) => recorded.push([way, JSON.parse(text)]);
window.WebSocket = class extends WebSocket {
  constructor(...options) {
    super(...options);
    sockets.push(this);
    this.addEventListener("message", ({ data }) => record("in", data));
  }
  send(text) {
    record("out", text);
    super.send(text);
  }
};
"""


class PageAgent(Log):
    """One tab. `messages` are those of the open room, as the page shows them."""

    def __init__(self, window: Window, page_url: str) -> None:
        super().__init__()
        self.window = window
        self._page_url = page_url
        self._shown: list[tuple[str, str]] = []
        self._reader: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._script = ""

    async def start(self, user: ChatUser, **options: Any) -> None:
        parameters = {"server": options.get("baseUrl", user.server.base_url), **options.get("timeouts", {})}
        session = {
            "user": {"id": user.id, "username": user.username},
            "accessToken": options.get("accessToken", user.access_token),
            "refreshToken": user.refresh_token,
        }
        script = {"source": BEFORE_PAGE % json.dumps(json.dumps(session))}
        command = self.window.driver.execute_cdp_cmd
        added = await self._do(command, "Page.addScriptToEvaluateOnNewDocument", script)
        self._script = added["identifier"]
        await self._do(self.window.driver.get, f"{self._page_url}?{urlencode(parameters)}")
        self._reader = asyncio.create_task(self._read())
        await self.ready()

    async def _do(self, command: Callable[..., Any], *arguments: Any) -> Any:
        """Gives the browser one command, in a thread. It takes one at a time."""
        async with self._lock:
            return await asyncio.to_thread(command, *arguments)

    async def _execute(self, script: str, *arguments: Any) -> Any:
        return await self._do(self.window.driver.execute_script, script, *arguments)

    async def _read(self) -> None:
        while True:
            await self._take_news()
            await asyncio.sleep(POLL_SECONDS)

    async def _take_news(self) -> None:
        frames, self._shown = json.loads(await self._execute(NEWS))
        for way, frame in frames:
            self.add(self.frames, way, frame)
            if way == "in":
                self.add(self.events, frame["event"], frame["data"])
        await self._notify()

    async def _text(self, css: str) -> str:
        return str(await self._do(self.window.text, css))

    async def ready(self) -> None:
        async def decided() -> bool:
            return (await self._text("#status")).startswith(("online", "signed out"))

        await until(decided, "the page is online")
        if await self._text("#status") == "signed out":
            raise SignedOut(await self._text("#alert"))

    async def open(self, room_id: str) -> None:
        button = f"#rooms button[value='{room_id}']"
        await self._do(self.window.click, button)

        async def is_open() -> bool:
            script = "return document.querySelector(arguments[0])?.ariaCurrent === 'true'"
            return bool(await self._execute(script, button))

        await until(is_open, "the room is open")

    async def knows(self, room_id: str) -> bool:
        script = "return document.querySelector(arguments[0]) !== null"
        return bool(await self._execute(script, f"#rooms button[value='{room_id}']"))

    def messages(self, room_id: str) -> list[tuple[int, str]]:
        stored = [content for content, beside in self._shown if beside != "sending…"]
        return list(enumerate(stored, 1))

    async def send(self, message: Data) -> Data:
        """Sends to the open room, and waits until the message is stored. Raises ChatError if the page gives up."""
        script = "const field = document.querySelector('#write [name=content]');"
        script += "field.value = eval(arguments[0]); field.form.requestSubmit()"
        await self._execute(script, json.dumps(message["content"]))

        async def decided() -> bool:
            await self._take_news()
            return all(beside != "sending…" for _, beside in self._shown)

        await until(decided, "the page has sent the message")
        if message["content"] not in [content for content, _ in self._shown]:
            raise ChatError({"code": "invalid", "message": await self._text("#alert")})
        return {}

    async def drop(self) -> None:
        await self._execute("sockets.at(-1).close()")

    async def stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        script = {"identifier": self._script}
        command = self.window.driver.execute_cdp_cmd
        await self._do(command, "Page.removeScriptToEvaluateOnNewDocument", script)
