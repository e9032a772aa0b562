"""Sending a message: checks, rate limits, then the writer, which stores and publishes it."""

from typing import Any
from uuid import UUID

from foundation.database import run_db
from foundation.errors import Forbidden, Invalid, Muted, NotFound, Overloaded, RateLimited
from foundation.ids import uuid7
from foundation.limits.named import MESSAGES_ROOM, MESSAGES_USER
from foundation.limits.shared import get_rate_limiter
from messaging.drafts import Draft, Stored
from messaging.log.lookups import find_stored
from messaging.models import Message
from rooms.permissions import require_may_write
from rooms.services.direct import check_new_direct, find_direct, make_direct
from rooms.write_access import get_write_access_cache

from .content import check_attributes, check_content
from .writer import get_writer

# What may have come about since the message was stored: a removal, a lock, a mute, a limit, an archived replyTo.
REFUSALS = (NotFound, Forbidden, Muted, RateLimited, Invalid)


async def send_message(
    *,
    sender_id: UUID,
    content: str,
    room_id: UUID | None = None,
    to_user_id: UUID | None = None,
    type: str = "text",
    client_message_id: str | None = None,
    reply_to: UUID | None = None,
    meta: dict[str, Any] | None = None,
) -> Stored:
    """Store a message and publish it to its room. Returns after the commit.

    The message goes to `room_id`, or to the direct room with `to_user_id`, which is created if there is none.
    A retry is safe with a clientMessageId: it returns the first message as a duplicate, also to a sender who may
    not write any more. Raises Invalid, NotFound, Forbidden (locked room), Muted, RateLimited, Conflict (the
    clientMessageId belongs to another message), Overloaded, Unavailable.
    """
    check_content(content)
    check_attributes(type=type, client_message_id=client_message_id, meta=meta)
    if (room_id is None) == (to_user_id is None):
        problem = "Give either roomId or toUserId."
        raise Invalid(problem, fields={"roomId": [problem]})
    draft = Draft(
        room_id=room_id or uuid7(),
        sender_id=sender_id,
        to_user_id=to_user_id,
        content=content,
        type=type,
        client_message_id=client_message_id,
        reply_to=reply_to,
        meta=meta or {},
    )
    if to_user_id is not None:
        room_id = await run_db(find_direct, user_id=sender_id, other_id=to_user_id)
        if room_id is None:
            return await _send_to_new_room(draft, to_user_id)
        draft.room_id = room_id
    try:
        return await _send(draft)
    except REFUSALS:
        # Looked up only now, so that it costs the ordinary send nothing.
        stored = await run_db(find_stored, draft)
        if stored is None:
            raise
        return stored


async def _send(draft: Draft) -> Stored:
    # Before the limits, so that a stranger cannot use up the limit of a room. The log checks again at the commit.
    access = await get_write_access_cache().require(room_id=draft.room_id, user_id=draft.sender_id)
    require_may_write(access)
    draft.membership_id = access.membership_id
    if draft.reply_to is not None:
        await run_db(_require_reply_target, draft.room_id, draft.reply_to)
    await get_rate_limiter().check(MESSAGES_USER.of(draft.sender_id), MESSAGES_ROOM.of(draft.room_id))
    return await get_writer().append(draft)


async def _send_to_new_room(draft: Draft, to_user_id: UUID) -> Stored:
    """Make the direct room for its first message, after everything that may refuse the message."""
    if draft.reply_to is not None:
        raise _no_reply_target()
    sender_id, writer = draft.sender_id, get_writer()
    counts = await run_db(check_new_direct, user_id=sender_id, other_id=to_user_id, field="toUserId")
    await get_rate_limiter().check(MESSAGES_USER.of(sender_id), MESSAGES_ROOM.of(draft.room_id), *counts)
    if not writer.accepts():
        raise Overloaded
    room, _, _ = await run_db(make_direct, user_id=sender_id, other_id=to_user_id, room_id=draft.room_id)
    draft.room_id = room.pk
    return await writer.append(draft)


def _require_reply_target(room_id: UUID, reply_to: UUID) -> None:
    if not Message.objects.filter(pk=reply_to, room_id=room_id).exists():
        raise _no_reply_target()


def _no_reply_target() -> Invalid:
    return Invalid("replyTo is no message of this room.", fields={"replyTo": ["No message of this room."]})
