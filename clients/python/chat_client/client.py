"""ChatClient: one user's connection that heals itself. Needs httpx and websockets, and nothing of the server.

It reconnects with jitter, resumes where it was, drops what it has seen, keeps each room in order and renews its
tokens. docs/protocol.md explains each rule; js/chat-client.js is the same in JavaScript.
"""

import asyncio
import inspect
import json
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from itertools import count, islice
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

logger = logging.getLogger(__name__)

Data = dict[str, Any]
OnEvent = Callable[[str, Data], Awaitable[None] | None]
OnFrame = Callable[[str, Data], None]

FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.5, 30.0
ANSWER_SECONDS = 15.0
ACK_SECONDS = 0.25  # deliveries of this long are gathered into one message:ack
MAX_WAITING_EVENTS = 2000
HISTORY_PAGE, RESUME_ROOMS = 200, 1000
TEMPORARY = {"rate_limited", "overloaded", "unavailable", "internal"}


class ChatError(Exception):
    """The server refused: `code`, `fields` and `retry_after` (seconds) as docs/errors.md has them."""

    def __init__(self, error: Data) -> None:
        self.code: str = error["code"]
        self.fields: dict[str, list[str]] = error.get("fields", {})
        self.retry_after: float | None = error.get("retryAfter")
        super().__init__(f"{self.code}: {error['message']}")


class ConnectionLost(Exception):
    """The connection went before the answer came; whether the request took effect is not known."""


class SignedOut(Exception):
    """The session or the account has ended; only logging in again helps."""


class ChatClient:
    """`async with await ChatClient.login(url, email, password, on_event=..) as client: await client.send(..)`.

    `on_event(event, data)` gets every server event, one after the other, each message once and in its room's order;
    it may be async and may call the client. `on_frame` sees all frames as they pass: ("in" or "out", frame).
    `state` is JSON that says how far `on_event` has come: keep it, and give it to a later run to go on from there.
    """

    def __init__(
        self,
        base_url: str,
        *,
        access_token: str,
        refresh_token: str = "",
        on_event: OnEvent = lambda event, data: None,
        on_frame: OnFrame = lambda direction, frame: None,
        device_id: str = "",
        state: Data | None = None,
    ) -> None:
        self.http = httpx.AsyncClient(base_url=base_url, timeout=ANSWER_SECONDS)
        self.access_token, self.refresh_token = access_token, refresh_token
        self.on_event, self.on_frame = on_event, on_frame
        self.user_id = ""
        state = state or {"rooms": {}, "since": ""}
        device_id = device_id or uuid.uuid4().hex
        self._url = base_url.replace("http", "ws", 1).rstrip("/") + f"/ws/chat/?deviceId={device_id}"
        self._socket: ClientConnection | None = None
        self._ready, self._gap_found, self._handled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._answers: dict[int, asyncio.Future[Data]] = {}
        self._refs = count(1)
        self._seen: dict[str, int] = dict(state["rooms"])
        self._received = dict(self._seen)  # runs ahead of `_seen` by what waits in `_events`
        self._since: str = state["since"]  # server time: edits and deletions made later may be unknown
        self._gaps: set[str] = set()
        self._events: asyncio.Queue[tuple[str, Data]] = asyncio.Queue()
        self._to_ack: dict[str, int] = {}
        self._refresh_lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def signup(cls, base_url: str, body: Data, **options: Any) -> Self:
        """`body` is {username, email, password, displayName?}."""
        return await cls._open(base_url, "/api/auth/signup", body, options)

    @classmethod
    async def login(cls, base_url: str, email: str, password: str, **options: Any) -> Self:
        return await cls._open(base_url, "/api/auth/login", {"email": email, "password": password}, options)

    @classmethod
    async def _open(cls, base_url: str, path: str, body: Data, options: Data) -> Self:
        async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_SECONDS) as http:
            session = _checked(await http.post(path, json=body))
        tokens = {"access_token": session["accessToken"], "refresh_token": session["refreshToken"]}
        return cls(base_url, **tokens, **options)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(work) for work in (self._run(), self._hand_over())]
        await self.wait_ready()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await _cancel(self._tasks)
        await self.http.aclose()

    async def wait_ready(self) -> None:
        """Return when connected; raises SignedOut when that will not happen any more."""
        waiter = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait({waiter, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        for task in self._tasks:
            if task.done():
                task.result()

    async def until_signed_out(self) -> None:
        """Wait, for as long as the client runs, and raise SignedOut when the session or the account has ended."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    @property
    def state(self) -> Data:
        return {"rooms": dict(self._seen), "since": self._since}

    def drop(self) -> None:
        """Cut the connection without a word, as a lost network does; the client then reconnects and resumes."""
        if self._socket is not None:
            self._socket.transport.abort()

    # --- what an application calls ------------------------------------------------------------------------------

    async def send(self, content: str, *, room_id: str = "", to_user_id: str = "", **fields: Any) -> Data:
        """Send a message, trying until the server says it is stored; returns that reply.

        Every try has the same clientMessageId, so the message is stored once however many answers were lost.
        """
        target = {"roomId": room_id} if room_id else {"toUserId": to_user_id}
        data = {"clientMessageId": uuid.uuid4().hex, **target, "content": content, **fields}
        delay_seconds = FIRST_DELAY_SECONDS
        while True:
            wait_seconds = random.uniform(0, delay_seconds)
            try:
                return await self.request("message:send", data)
            except ConnectionLost:
                pass
            except ChatError as error:
                if error.code not in TEMPORARY:
                    raise
                wait_seconds += error.retry_after or 0.0
            await asyncio.sleep(wait_seconds)
            delay_seconds = min(delay_seconds * 2, MAX_DELAY_SECONDS)

    async def request(self, event: str, data: Data | None = None) -> Data:
        """Send a frame and return the data of its reply. Raises ChatError, ConnectionLost, SignedOut."""
        await self.wait_ready()
        return await self._ask(event, data or {})

    async def rest(self, method: str, path: str, **kwargs: Any) -> Any:
        """Call REST as this user; an expired access token is renewed first. Raises ChatError, httpx.HTTPError."""
        token = self.access_token
        answer = await self.http.request(method, path, headers=self._bearer(), **kwargs)
        if answer.status_code == 401 and self.refresh_token:
            await self._refresh(token)
            answer = await self.http.request(method, path, headers=self._bearer(), **kwargs)
        return _checked(answer)

    # --- the connection -----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        attempt = 0
        while True:
            token, code = self.access_token, 0
            try:
                async with connect(self._url, additional_headers=self._bearer(), max_size=None) as socket:
                    self._socket = socket
                    await self._serve(socket)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 0
            except (OSError, InvalidHandshake):
                pass  # the server is away
            attempt = 1 if self._ready.is_set() else attempt + 1
            self._fail_pending()
            if code == 4403:
                raise SignedOut("this account is deactivated")
            if code == 4401:
                await self._refresh_when_possible(token)
            if code == 4429:
                attempt += 4
            # Jitter: when a server restarts, its clients must not all come back in the same moment.
            limit_seconds = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**attempt)
            await asyncio.sleep(random.uniform(0, limit_seconds))

    async def _serve(self, socket: ClientConnection) -> None:
        helpers: list[asyncio.Task[None]] = []
        try:
            while True:
                frame = json.loads(await socket.recv())
                self.on_frame("in", frame)
                if frame["event"] == "ready":
                    work = self._begin(frame["data"])
                    helpers = [asyncio.create_task(self._or_drop(coroutine)) for coroutine in work]
                future = self._answers.pop(frame.get("ref", 0), None)
                if future is None:
                    self._receive(frame["event"], frame["data"])
                elif not future.done():
                    future.set_result(frame)
        finally:
            await _cancel(helpers)

    def _begin(self, ready: Data) -> list[Coroutine[Any, Any, None]]:
        self.user_id, rooms = ready["userId"], ready["rooms"]
        if self._since:  # a reconnect: what was missed, and rooms joined meanwhile
            self._gaps = set(rooms)
        else:
            self._seen, self._received = dict(rooms), dict(rooms)
            self._since = ready["serverTime"]
        self._gap_found.set()
        self._ready.set()
        return [self._catch_up(), self._acknowledge(), self._keep_token(ready)]

    async def _or_drop(self, work: Coroutine[Any, Any, None]) -> None:
        """What these tasks do has to be done; where one fails, the next connection begins anew."""
        try:
            await work
        except (ConnectionLost, ChatError, SignedOut, httpx.HTTPError):
            self.drop()

    async def _ask(self, event: str, data: Data) -> Data:
        ref = next(self._refs)
        future = self._answers[ref] = asyncio.get_running_loop().create_future()
        try:
            await self._write({"event": event, "data": data, "ref": ref})
            frame = await asyncio.wait_for(future, ANSWER_SECONDS)
        except TimeoutError as error:
            raise ConnectionLost from error
        finally:
            self._answers.pop(ref, None)
        if frame["event"] != "reply":
            raise ChatError(frame["data"])
        return dict(frame["data"])

    async def _write(self, frame: Data) -> None:
        if self._socket is None:
            raise ConnectionLost
        self.on_frame("out", frame)
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed as error:
            raise ConnectionLost from error

    def _fail_pending(self) -> None:
        self._ready.clear()
        self._socket = None
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionLost())

    # --- order and completeness ---------------------------------------------------------------------------------

    def _receive(self, event: str, data: Data) -> None:
        """Queue an event for the application; a message only if it is the next one of its room."""
        if self._events.qsize() >= MAX_WAITING_EVENTS:  # a slow application: let the log keep it for later
            self._mark_gaps(*self._received)
        elif event == "message:receive":
            room, seq = data["roomId"], data["seq"]
            received = self._received.get(room)
            if received is not None and seq == received + 1:
                self._received[room] = seq
                self._events.put_nowait((event, data))
            elif received is None or seq > received:  # the resume brings what is missing, and this one again
                self._mark_gaps(room)
        else:
            if event == "room:added":
                self._adopt(data)
            self._events.put_nowait((event, data))

    def _adopt(self, room: Data) -> None:
        """A new room counts from where its user joined it; what was written since may not have been heard."""
        received = self._received.setdefault(room["id"], room["lastSeq"] - room["unreadCount"])
        if room["lastSeq"] > received:
            self._mark_gaps(room["id"])

    def _mark_gaps(self, *rooms: str) -> None:
        self._gaps.update(rooms)
        self._gap_found.set()

    async def _hand_over(self) -> None:
        while True:
            event, data = await self._events.get()
            try:
                result = self.on_event(event, data)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                logger.exception("on_event failed for %s", event)
            if event == "message:receive":
                self._seen[data["roomId"]] = data["seq"]
                if data["from"] != self.user_id:
                    self._to_ack[data["roomId"]] = data["seq"]
                    self._handled.set()
            elif event == "room:removed":
                self._seen.pop(data["roomId"], None)
                self._received.pop(data["roomId"], None)
            self._events.task_done()

    async def _catch_up(self) -> None:
        """Close gaps, one resume at a time, for as long as the connection lives."""
        while True:
            await self._gap_found.wait()
            if self._events.qsize() > MAX_WAITING_EVENTS // 2:
                await self._events.join()
            for room in self._gaps - self._received.keys():  # joined while away
                self._adopt(await self.rest("GET", f"/api/rooms/{room}"))
            wanted = {room: self._received[room] for room in islice(self._gaps, RESUME_ROOMS)}
            self._gaps -= wanted.keys()
            if not self._gaps:
                self._gap_found.clear()
            if not wanted:
                continue
            reply = await self._ask("resume", {"rooms": wanted, "since": self._since})
            self._since = reply["serverTime"]
            for room, answer in reply["rooms"].items():
                if not answer["complete"]:
                    await self._page(room)

    async def _page(self, room: str) -> None:
        """The gap was too large for a resume: read history, from the same number on."""
        more = True
        while more and self._events.qsize() < MAX_WAITING_EVENTS:
            query = {"after": self._received[room], "limit": HISTORY_PAGE}
            page = await self.rest("GET", f"/api/rooms/{room}/messages", params=query)
            more = page["hasMore"]
            archived = page.get("firstSeq", 1) - 1  # up to here there is nothing to read any more
            self._received[room] = max(self._received[room], archived)
            for message in page["results"]:
                self._receive("message:receive", message)
        if more:
            self._mark_gaps(room)

    async def _acknowledge(self) -> None:
        """Tell the server what has arrived, so that its senders see it delivered."""
        while True:
            await self._handled.wait()
            await asyncio.sleep(ACK_SECONDS)
            self._handled.clear()
            acks, self._to_ack = self._to_ack, {}
            for room, seq in acks.items():
                ack = {"roomId": room, "seq": seq, "status": "delivered"}
                await self._write({"event": "message:ack", "data": ack})

    # --- tokens -------------------------------------------------------------------------------------------------

    async def _keep_token(self, ready: Data) -> None:
        """Renew the access token when four fifths of its time are over, and tell the connection."""
        expires_at, now = ready["expiresAt"], ready["serverTime"]
        while self.refresh_token:
            left = datetime.fromisoformat(expires_at) - datetime.fromisoformat(now)
            await asyncio.sleep(max(0.5, left.total_seconds() * 0.8))
            await self._refresh(self.access_token)
            expires_at = (await self._ask("auth:refresh", {"token": self.access_token}))["expiresAt"]
            now = (await self._ask("ping", {}))["serverTime"]

    async def _refresh(self, old: str) -> None:
        """Spend the refresh token, once: two at the same moment would look like theft and end the session."""
        async with self._refresh_lock:
            if self.access_token != old:
                return  # done meanwhile
            try:
                body = {"refreshToken": self.refresh_token}
                pair = _checked(await self.http.post("/api/auth/refresh", json=body))
            except ChatError as error:
                if error.code in TEMPORARY:
                    raise
                raise SignedOut(str(error)) from error
            self.access_token, self.refresh_token = pair["accessToken"], pair["refreshToken"]

    async def _refresh_when_possible(self, old: str) -> None:
        if not self.refresh_token:
            raise SignedOut("the access token has ended, and there is no refresh token")
        while True:
            try:
                return await self._refresh(old)
            except (httpx.HTTPError, ChatError):
                await asyncio.sleep(random.uniform(FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS))

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = {"code": "internal", "message": f"HTTP {answer.status_code} without an error of ours"}
    raise ChatError(error)
