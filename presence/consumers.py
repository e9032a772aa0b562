"""Presence on a connection: it holds a lease while it is open, and may ask for the presence of others."""

from typing import Any

from foundation.limits.local import get_local_limiter
from foundation.limits.named import EVENTS_USER
from realtime.session.handlers import EventConsumer, on, on_control
from realtime.wire.close_codes import CloseCode, CloseSocket
from realtime.wire.events import Allowed

from . import selectors, services
from .events import PRESENCE_UPDATE, PresenceState, QueryPresence
from .leases import Lease


class PresenceConsumer(EventConsumer):
    sends = (PRESENCE_UPDATE,)
    _lease: Lease | None = None

    async def connected(self) -> dict[str, Any]:
        connection = self.connection
        self._lease = await services.acquire_lease(
            user_id=connection.user_id, device_id=connection.device_id, connection_id=connection.id
        )
        if self._lease is None:
            raise CloseSocket(CloseCode.LIMITED, "too many connections")
        return {}

    async def disconnected(self) -> None:
        if self._lease is not None:
            services.release_lease(lease=self._lease)

    @on_control("connection:replaced")
    async def replaced(self, data: dict[str, Any]) -> None:
        """Every connection of the user gets this control; `connection_id` names the one that has to close."""
        if data["connection_id"] == self.connection.id:
            raise CloseSocket(CloseCode.LIMITED, "replaced by a newer connection of this device")

    @on("presence:query", QueryPresence, reply=dict[str, PresenceState], allowed=Allowed.FILTERED)
    async def query(self, data: QueryPresence) -> dict[str, PresenceState]:
        """Ask which of these users are online. Users with whom you share no room are left out."""
        get_local_limiter().check(EVENTS_USER.of(self.connection.user_id))
        states = await selectors.visible_states(viewer_id=self.connection.user_id, user_ids=data.user_ids)
        return {str(user_id): state for user_id, state in states.items()}
