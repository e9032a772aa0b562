"""ChatClient: what an application calls."""

import asyncio
import uuid
from typing import Any, Self

import httpx

from .catch_up import CatchUp
from .connection import Connection, cancel
from .delays import patiently
from .errors import ConnectionLost, SignedOut
from .exchange import Exchange, OnFrame
from .inbox import Inbox, OnEvent
from .tokens import Tokens, checked

Data = dict[str, Any]

# A network that goes silent does not say so, hence every wait for the server has an end.
READY_SECONDS, ANSWER_SECONDS, PING_SECONDS = 15.0, 15.0, 20.0


class ChatClient:
    """`async with await ChatClient.login(url, email, password, on_event=..) as client: await client.send(..)`.

    `on_event(event, data)` gets every server event, one after the other, each message once and in the order of its
    room. It may be async and may call the client. `on_frame` sees every frame: ("in" or "out", frame).
    `state` is a JSON-serialisable dict that says how far `on_event` has come. Store it, and pass it to a later
    run to continue from there. `ready_seconds` and `answer_seconds` are the longest waits for `ready` and for an
    answer; a ping is sent every `ping_seconds`.
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
        ready_seconds: float = READY_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self.http = httpx.AsyncClient(base_url=base_url, timeout=answer_seconds)
        device_id = device_id or uuid.uuid4().hex
        url = base_url.replace("http", "ws", 1).rstrip("/") + f"/ws/chat/?deviceId={device_id}"
        self._tokens = Tokens(self.http, access_token, refresh_token)
        self._exchange = Exchange(on_frame, answer_seconds)
        self._inbox = Inbox(on_event, state or {"rooms": {}, "since": ""})
        catch_up = CatchUp(self._inbox, self._exchange.ask, self.rest)
        self._connection = Connection(
            url,
            self._tokens,
            self._exchange,
            self._inbox,
            catch_up,
            ready_seconds=ready_seconds,
            answer_seconds=answer_seconds,
            ping_seconds=ping_seconds,
        )
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def signup(cls, base_url: str, body: Data, **options: Any) -> Self:
        """Create an account and return its client. `body` is {username, email, password, displayName?}."""
        return await cls._open(base_url, "/api/auth/signup", body, options)

    @classmethod
    async def login(cls, base_url: str, email: str, password: str, **options: Any) -> Self:
        """Log in and return the client. `options` are those of the constructor."""
        return await cls._open(base_url, "/api/auth/login", {"email": email, "password": password}, options)

    @classmethod
    async def _open(cls, base_url: str, path: str, body: Data, options: Data) -> Self:
        async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_SECONDS) as http:
            session = checked(await http.post(path, json=body))
        tokens = {"access_token": session["accessToken"], "refresh_token": session["refreshToken"]}
        return cls(base_url, **tokens, **options)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(work) for work in (self._connection.run(), self._inbox.deliver())]
        await self.wait_ready()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await cancel(self._tasks)
        await self.http.aclose()

    @property
    def user_id(self) -> str:
        """The id of the user, "" before the first connection."""
        return self._inbox.user_id

    @property
    def access_token(self) -> str:
        return self._tokens.access

    @property
    def refresh_token(self) -> str:
        return self._tokens.refresh

    @property
    def state(self) -> Data:
        return {"rooms": dict(self._inbox.seen), "since": self._inbox.since}

    async def wait_ready(self) -> None:
        """Return when the client is connected. Raises SignedOut if it can no longer connect."""
        waiter = asyncio.ensure_future(self._connection.ready.wait())
        await asyncio.wait({waiter, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        for task in self._tasks:
            if task.done():
                task.result()

    async def until_signed_out(self) -> None:
        """Wait until the session or the account ends, then raise SignedOut."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def drop(self) -> None:
        """Cut the connection without a close frame, as a lost network does. The client reconnects and resumes."""
        self._exchange.drop()

    async def send(self, content: str, *, room_id: str = "", to_user_id: str = "", **fields: Any) -> Data:
        """Send a message, trying again until the server has stored it, and return that reply.

        Each attempt has the same clientMessageId, so the message is stored once, however many answers are lost.
        Raises SignedOut, and ChatError for an error that is not temporary.
        """
        target = {"roomId": room_id} if room_id else {"toUserId": to_user_id}
        data = {"clientMessageId": uuid.uuid4().hex, **target, "content": content, **fields}
        return await patiently(lambda: self.request("message:send", data), ConnectionLost)

    async def request(self, event: str, data: Data | None = None) -> Data:
        """Send a frame and return the data of its reply. Raises ChatError, ConnectionLost, SignedOut."""
        await self.wait_ready()
        return await self._exchange.ask(event, data or {})

    async def rest(self, method: str, path: str, **options: Any) -> Any:
        """Call the REST API as this user and return the JSON. `options` are httpx's, such as json= or params=.

        An expired access token is renewed first. Raises ChatError, SignedOut, httpx.HTTPError.
        """
        token = self._tokens.access
        answer = await self.http.request(method, path, headers=self._tokens.bearer(), **options)
        if answer.status_code == 401 and self._tokens.refresh:
            try:
                await self._tokens.renew(token)
            except SignedOut:
                self.drop()
                raise
            answer = await self.http.request(method, path, headers=self._tokens.bearer(), **options)
        return checked(answer)
