"""One interface to the reference clients, so that every test runs on all of them. `page_agent` has the third."""

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from chat_client import ChatClient, ChatError, ConnectionLost, SignedOut
from tests.kit.paths import ROOT
from tests.kit.users import ChatUser

WAIT_SECONDS = 40.0
Data = dict[str, Any]


class Agent(Protocol):
    """One client. `events` and `frames` grow; `until` waits for more of them.

    The options of `start` are those of the JavaScript client. `open` shows a room, where there is a screen.
    `knows` says whether the client still counts the room as one of its user.
    """

    events: list[tuple[str, Data]]
    frames: list[tuple[str, Data]]

    async def start(self, user: ChatUser, **options: Any) -> None: ...
    async def open(self, room_id: str) -> None: ...
    async def knows(self, room_id: str) -> bool: ...
    async def send(self, message: Data) -> Data: ...
    async def rest(self, method: str, path: str) -> Any: ...
    async def drop(self) -> None: ...
    async def state(self) -> Data: ...
    async def ready(self) -> None: ...
    async def stop(self) -> None: ...


class Log:
    """The events and frames of one client."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Data]] = []
        self.frames: list[tuple[str, Data]] = []
        self._grown = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, to: list[tuple[str, Data]], name: str, data: Data) -> None:
        to.append((name, data))
        task = asyncio.ensure_future(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._grown:
            self._grown.notify_all()

    async def open(self, room_id: str) -> None:
        pass

    async def state(self) -> Data:
        raise NotImplementedError

    async def knows(self, room_id: str) -> bool:
        return room_id in (await self.state())["rooms"]

    async def until(self, holds: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._grown:
                await self._grown.wait_for(holds)
        except TimeoutError:
            pytest.fail(f"the condition did not become true; the last frames are {self.frames[-12:]}")

    def messages(self, room_id: str) -> list[tuple[int, str]]:
        """(seq, content) of the messages that the application got, in their order."""
        return [
            (data["seq"], data["content"])
            for event, data in self.events
            if event == "message:receive" and data["roomId"] == room_id
        ]

    def sent(self, event: str) -> list[Data]:
        return [frame["data"] for way, frame in self.frames if way == "out" and frame["event"] == event]

    def came(self, event: str) -> list[Data]:
        return [data for name, data in self.events if name == event]


class PythonAgent(Log):
    client: ChatClient

    async def start(self, user: ChatUser, **options: Any) -> None:
        for name, milliseconds in options.pop("timeouts", {}).items():
            options[name.replace("Ms", "_seconds")] = milliseconds / 1000
        self.client = ChatClient(
            options.pop("baseUrl", user.server.base_url),
            access_token=options.pop("accessToken", user.access_token),
            refresh_token=user.refresh_token,
            on_event=lambda event, data: self.add(self.events, event, data),
            on_frame=lambda way, frame: self.add(self.frames, way, frame),
            **options,
        )
        await self.client.__aenter__()

    async def send(self, message: Data) -> Data:
        names = {"roomId": "room_id", "toUserId": "to_user_id"}
        return await self.client.send(**{names.get(name, name): value for name, value in message.items()})

    async def rest(self, method: str, path: str) -> Any:
        return await self.client.rest(method, path)

    async def drop(self) -> None:
        self.client.drop()

    async def state(self) -> Data:
        return self.client.state

    async def ready(self) -> None:
        await self.client.wait_ready()

    async def stop(self) -> None:
        await self.client.__aexit__()


class JavaScriptAgent(Log):
    """Sends commands to agent.mjs in a node process."""

    def __init__(self) -> None:
        super().__init__()
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def start(self, user: ChatUser, **options: Any) -> None:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                "node",
                "--experimental-websocket",
                "--no-warnings",
                "clients/tests/agent.mjs",
                cwd=ROOT,
                env=os.environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**24,
            )
            self._reader = asyncio.create_task(self._read(self._process))
        tokens = {"accessToken": user.access_token, "refreshToken": user.refresh_token}
        await self._command("start", {"baseUrl": user.server.base_url, **tokens, **options})

    async def send(self, message: Data) -> Data:
        return dict(await self._command("send", message))

    async def rest(self, method: str, path: str) -> Any:
        return await self._command("rest", {"method": method, "path": path})

    async def drop(self) -> None:
        await self._command("drop")

    async def state(self) -> Data:
        return dict(await self._command("state"))

    async def ready(self) -> None:
        await self._command("ready")

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            assert self._reader is not None
            await self._reader

    async def _command(self, command: str, data: Any = None) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        number = len(self._answers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(
            json.dumps({"id": number, "command": command, "data": data}).encode() + b"\n"
        )
        return await asyncio.wait_for(answer, WAIT_SECONDS)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            answer = json.loads(line)
            if "direction" in answer:
                self.add(self.frames, answer["direction"], answer["frame"])
            elif "event" in answer:
                self.add(self.events, answer["event"], answer["data"])
            elif "error" in answer:
                self._answers[answer["id"]].set_exception(as_exception(answer["error"]))
            else:
                self._answers[answer["id"]].set_result(answer["value"])


def as_exception(error: Data) -> Exception:
    if error["name"] == "ChatError":
        return ChatError({"code": error["code"], "message": ""})
    return {"SignedOut": SignedOut, "ConnectionLost": ConnectionLost}.get(error["name"], RuntimeError)(error)
