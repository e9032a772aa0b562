"""Closes a connection when its token, its session or its account ends."""

import asyncio
from typing import Any

from django.views.decorators.debug import sensitive_variables

from foundation import times
from foundation.database import run_db
from foundation.errors import Forbidden, Unauthenticated
from foundation.limits.local import get_local_limiter
from foundation.limits.named import EVENTS_USER
from foundation.server_clock import get_server_clock
from realtime.hub.hub import get_hub
from realtime.session.connection import Identity
from realtime.session.handlers import EventConsumer, on, on_control
from realtime.wire.close_codes import CloseCode, CloseSocket
from realtime.wire.events import Allowed
from realtime.wire.protocol import Empty

from . import keys, selectors
from .events import AuthRefreshed, Pong, RefreshAuth
from .session_reconciler import get_session_reconciler
from .tokens import verify_access
from .topics import session_address, user_address


class AccountsConsumer(EventConsumer):
    _expiry: asyncio.TimerHandle | None = None

    async def connected(self) -> dict[str, Any]:
        """Attach first, then read the session: an end in between is either received or read."""
        get_session_reconciler().start()
        identity = self.connection.identity
        await self._attach(identity)
        try:
            await run_db(selectors.live_session, session_id=identity.session_id)
        except Unauthenticated as error:
            raise CloseSocket(CloseCode.UNAUTHENTICATED, error.code) from error
        except Forbidden as error:
            raise CloseSocket(CloseCode.DEACTIVATED, "deactivated") from error
        self._close_at_expiry(identity)
        return {}

    async def disconnected(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        get_hub().detach(self.connection)

    @on("auth:refresh", RefreshAuth, reply=AuthRefreshed, allowed=Allowed.SELF)
    @sensitive_variables("data")
    async def refresh(self, data: RefreshAuth) -> AuthRefreshed:
        """Keep the connection open after its token expires, with a newer access token of the same user."""
        # Each reads a session.
        get_local_limiter().check(EVENTS_USER.of(self.connection.user_id))
        await keys.refresh()
        identity, old = verify_access(data.token), self.connection.identity
        if identity.user_id != old.user_id:
            raise Unauthenticated("This token is of another user. Open a connection of its own with it.")
        # Attached to both sessions until one is chosen, because either may end in the meantime.
        await self._attach(old, identity)
        try:
            await run_db(selectors.live_session, session_id=identity.session_id)
        except BaseException:
            await self._attach(old)
            raise
        self.connection.identity = identity
        await self._attach(identity)
        self._close_at_expiry(identity)
        return AuthRefreshed(expires_at=str(times.to_wire(identity.expires_at)))

    @on("ping", Empty, reply=Pong, allowed=Allowed.ANYONE)
    async def ping(self, data: Empty) -> Pong:
        """Check the connection and get the server's time."""
        return Pong(server_time=str(times.to_wire(get_server_clock().now())))

    @on_control("session:ended")
    async def session_ended(self, data: dict[str, Any]) -> None:
        raise CloseSocket(CloseCode.UNAUTHENTICATED, "session ended")

    @on_control("user:deactivated")
    async def user_deactivated(self, data: dict[str, Any]) -> None:
        raise CloseSocket(CloseCode.DEACTIVATED, "deactivated")

    async def _attach(self, *identities: Identity) -> None:
        sessions = {session_address(identity.session_id) for identity in identities}
        await get_hub().attach(self.connection, user_address(self.connection.user_id), *sessions)

    def _close_at_expiry(self, identity: Identity) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        delay_seconds = max(0.0, (identity.expires_at - times.now()).total_seconds())
        self._expiry = asyncio.get_running_loop().call_later(
            delay_seconds, self.connection.close, CloseCode.UNAUTHENTICATED, "token_expired"
        )
