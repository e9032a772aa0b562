"""Reads of presence. They are asynchronous, because it is in Redis. While Redis is away, everybody is offline."""

import logging
from collections.abc import Iterable
from uuid import UUID

from accounts import selectors as accounts
from foundation import times
from foundation.database import run_db
from foundation.errors import NotFound
from foundation.redis.outage import REDIS_AWAY
from rooms import selectors as rooms

from .events import MemberPresence, PresenceState, UserPresence
from .store import get_store

logger = logging.getLogger(__name__)

NO_PEER = "There is no such user, or you share no room with them."


async def visible_states(*, viewer_id: UUID, user_ids: Iterable[UUID]) -> dict[UUID, PresenceState]:
    """The presence of those users with whom the viewer shares a room, and of the viewer if asked for."""
    visible = await run_db(rooms.peers_among, user_id=viewer_id, user_ids=list(user_ids))
    return await _states(visible)


async def user_presence(*, viewer_id: UUID, user_id: UUID) -> UserPresence:
    """The presence and devices of a user. NotFound if the viewer shares no room with them."""
    states = await visible_states(viewer_id=viewer_id, user_ids=[user_id])
    if user_id not in states:
        raise NotFound(NO_PEER)
    state = states[user_id]
    try:
        devices = await get_store().devices(user_id) if state.online else []
    except REDIS_AWAY:
        devices = []
    return UserPresence(user_id=user_id, online=state.online, last_seen=state.last_seen, devices=devices)


async def room_presence(*, viewer_id: UUID, room_id: UUID) -> list[MemberPresence]:
    """The presence of each member of a room. NotFound if the viewer is not a member."""
    await run_db(rooms.require_member, room_id=room_id, user_id=viewer_id)
    member_ids = await run_db(rooms.member_ids, room_id=room_id)
    states = await _states(member_ids)
    return [
        MemberPresence(user_id=user_id, online=states[user_id].online, last_seen=states[user_id].last_seen)
        for user_id in member_ids
        if user_id in states
    ]


async def online_users() -> int:
    """The number of users online in all processes; 0 while Redis is away."""
    try:
        return await get_store().count()
    except REDIS_AWAY as error:
        logger.warning("Redis is away, so presence is unknown: %s", error)
        return 0


async def _states(user_ids: Iterable[UUID]) -> dict[UUID, PresenceState]:
    users = (await run_db(accounts.get_users, user_ids=list(user_ids))).values()
    try:
        online = await get_store().states(user.pk for user in users)
    except REDIS_AWAY as error:
        logger.warning("Redis is away, so presence is unknown: %s", error)
        online = {}
    now = times.to_wire(times.now())
    return {
        user.pk: PresenceState(online=True, last_seen=now)
        if online.get(user.pk)
        else PresenceState(online=False, last_seen=times.to_wire(user.last_seen))
        for user in users
    }
