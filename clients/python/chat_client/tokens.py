"""The access and refresh token of one session, and their renewal."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx

from .delays import patiently
from .errors import ChatError, SignedOut

Data = dict[str, Any]

MAX_AGE_SECONDS = 24 * 3600.0


class Tokens:
    """Renews the access token. Without a refresh token it is used as long as it lasts."""

    def __init__(self, http: httpx.AsyncClient, access: str, refresh: str) -> None:
        self.access = access
        self.refresh = refresh
        # Set when the server refuses the refresh token: the session has ended.
        self.refused: SignedOut | None = None
        self._http = http
        self._lock = asyncio.Lock()

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    async def renew(self, old: str) -> None:
        """Replace the access token `old`, unless another task has done so.

        A used-up refresh token is repeated for seconds only; later it looks like theft and ends the session, hence
        the lock. Raises SignedOut, a temporary ChatError, or httpx.HTTPError.
        """
        async with self._lock:
            if self.access != old:
                return
            try:
                pair = checked(await self._send())
            except ChatError as error:
                if error.temporary:
                    raise
                self.refused = SignedOut(str(error))
                raise self.refused from error
            self.access, self.refresh = pair["accessToken"], pair["refreshToken"]

    async def _send(self) -> httpx.Response:
        """Ask for a new pair. If the answer is lost, ask again at once.

        The server may have used the token up. It gives the same new pair again, but for a short time only.
        """
        body = {"refreshToken": self.refresh}
        try:
            return await self._http.post("/api/auth/refresh", json=body)
        except httpx.HTTPError:
            return await self._http.post("/api/auth/refresh", json=body)

    async def renew_when_possible(self, old: str) -> None:
        """Like `renew`, but try again until the server answers. Raises SignedOut."""
        if not self.refresh:
            raise SignedOut("the access token has ended, and there is no refresh token")
        await patiently(lambda: self.renew(old), httpx.HTTPError)

    async def keep_fresh(self, ready: Data, ask: Callable[[str, Data], Awaitable[Data]]) -> None:
        """Renew the access token after four fifths of its life, a day at most, and send it on the connection."""
        expires_at, now = ready["expiresAt"], ready["serverTime"]
        while self.refresh:
            left = datetime.fromisoformat(expires_at) - datetime.fromisoformat(now)
            await asyncio.sleep(max(0.5, min(left.total_seconds() * 0.8, MAX_AGE_SECONDS)))
            await patiently(lambda: self.renew(self.access))
            renewed = await patiently(lambda: ask("auth:refresh", {"token": self.access}))
            expires_at, now = renewed["expiresAt"], (await patiently(lambda: ask("ping", {})))["serverTime"]


def checked(answer: httpx.Response) -> Any:
    """The JSON of a successful answer, None for an empty one. Raises ChatError for any other."""
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = {
            "code": "internal",
            "message": f"HTTP {answer.status_code} without an error of the chat server",
        }
    raise ChatError(error)
