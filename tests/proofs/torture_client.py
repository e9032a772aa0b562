"""A client of the kill test, which behaves as docs/protocol.md asks clients to."""

import asyncio
import contextlib
import json
import random
import uuid
from collections import Counter
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

ANSWER_SECONDS = 8.0
LOST = (OSError, WebSocketException, TimeoutError)


class Client:
    """Sends, acks, drops its connection, reconnects, and resumes when it misses messages.

    By room: `have` is its copy (id by seq), `through` the last seq without a gap before it, `read` the watermark
    that it acked. `pending` are messages without an answer, `acknowledged` the replies by clientMessageId.
    """

    def __init__(
        self, user: ChatUser, rooms: list[str], servers: list[ChatServer], rng: random.Random
    ) -> None:
        self.user, self.rooms, self.servers, self.rng = user, rooms, servers, rng
        self.have: dict[str, dict[int, str]] = {room: {} for room in rooms}
        self.through = dict.fromkeys(rooms, 0)
        self.pending: list[dict[str, Any]] = []
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.read = dict.fromkeys(rooms, 0)
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.sending = True
        self.ws: Any = None
        self.resumed = asyncio.Event()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._refs = 0

    async def run(self) -> None:
        while True:
            server = self.rng.choice(self.servers)
            headers = {"Authorization": f"Bearer {self.user.access_token}"}
            with contextlib.suppress(*LOST):
                async with asyncio.timeout(ANSWER_SECONDS):
                    ws = await connect(
                        server.ws_url, additional_headers=headers, compression=None, ping_interval=None
                    )
                self.counts["connections"] += 1
                await self._live(ws)
            self.resumed.clear()
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))

    async def _live(self, ws: Any) -> None:
        self.ws = ws
        reader = asyncio.create_task(self._read(ws))
        worker = asyncio.create_task(self._work())
        try:
            done, _ = await asyncio.wait((reader, worker), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reader, worker):
                task.cancel()
            await asyncio.gather(reader, worker, return_exceptions=True)
            for answer in self._answers.values():
                answer.cancel()
            self._answers.clear()
            ws.transport.abort()

    async def _read(self, ws: Any) -> None:
        async for text in ws:
            frame = json.loads(text)
            if "ref" in frame:
                answer = self._answers.pop(frame["ref"], None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
            elif frame["event"] == "message:receive":
                self._take(frame["data"])

    def _take(self, message: dict[str, Any]) -> None:
        room, seq = message["roomId"], message["seq"]
        known = self.have[room].setdefault(seq, message["id"])
        if known != message["id"]:
            self.problems.append(f"seq {seq} of {room} was {known} and is {message['id']}")
        while self.through[room] + 1 in self.have[room]:
            self.through[room] += 1
        if self.resumed.is_set() and seq > self.through[room]:
            self.counts["gaps seen"] += 1
            self.resumed.clear()

    async def _work(self) -> None:
        while True:
            if not self.resumed.is_set():
                await self._resume()
            await self._send_next()
            if self.sending and self.rng.random() < 0.3:
                await self._ack(self.rng.choice(self.rooms))
            if self.sending and self.rng.random() < 0.02:
                self.counts["cut by the client"] += 1
                return
            await asyncio.sleep(self.rng.uniform(0, 0.05) if self.sending else 0.2)

    async def _resume(self) -> None:
        # A gap that is seen from here on causes another resume.
        self.resumed.set()
        answer = await self._request("resume", {"rooms": dict(self.through)})
        if answer["event"] != "reply":
            self.resumed.clear()
            return
        for room, state in answer["data"]["rooms"].items():
            if not state["complete"]:
                await asyncio.to_thread(self._page, room)
            elif self.through[room] < state["through"]:
                self.problems.append(
                    f"resume said complete through {state['through']}, have {self.through[room]}"
                )
        self.counts["resumes"] += 1

    def _page(self, room: str) -> None:
        self.counts["resumes refused"] += 1
        with contextlib.suppress(httpx.HTTPError), self.rng.choice(self.servers).http(self.user) as http:
            more = True
            while more:
                query = {"limit": 200, "after": self.through[room]}
                page = http.get(f"/api/rooms/{room}/messages", params=query)
                if page.status_code != 200:
                    break
                for message in page.json()["results"]:
                    self._take(message)
                more = page.json()["hasMore"]

    async def _send_next(self) -> None:
        if self.sending and len(self.pending) < 5:
            room = self.rng.choice(self.rooms)
            key = uuid.UUID(int=self.rng.getrandbits(128)).hex
            self.pending.append({"roomId": room, "content": f"text {key}", "clientMessageId": key})
        if not self.pending:
            return
        message = self.rng.choice(self.pending)
        answer = await self._request("message:send", message)
        if answer["event"] == "reply":
            self.pending.remove(message)
            self.acknowledged[message["clientMessageId"]] = answer["data"]
            self.counts["duplicates answered"] += answer["data"]["duplicate"]
        else:
            self.counts[answer["event"]] += 1
            if answer["data"]["code"] not in ("unavailable", "overloaded", "internal"):
                self.problems.append(f"a send was answered {answer}")

    async def _ack(self, room: str) -> None:
        if self.through[room]:
            seq = self.through[room]
            answer = await self._request("message:ack", {"roomId": room, "seq": seq, "status": "read"})
            if answer["event"] == "reply":
                self.read[room] = max(self.read[room], seq)

    async def _request(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        self._refs += 1
        ref = f"r{self._refs}"
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        await self.ws.send(json.dumps({"event": event, "data": data, "ref": ref}))
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer
