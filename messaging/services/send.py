"""Sending a message: checks, rate limits, then the writer, which stores and publishes it."""

from typing import Any
from uuid import UUID

from foundation.database import run_db
from foundation.errors import Invalid
from foundation.limits.named import MESSAGES_ROOM, MESSAGES_USER
from foundation.limits.shared import get_rate_limiter
from messaging.drafts import Draft, Stored, key_id
from messaging.models import ArchivedKey, Message
from rooms.permissions import require_may_write
from rooms.services.direct import open_direct
from rooms.write_access import get_write_access_cache

from .content import check_attributes, check_content
from .writer import get_writer


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
    A retry is safe with a clientMessageId: it returns the first message as a duplicate. Raises Invalid, NotFound,
    Forbidden (locked room), Muted, RateLimited, Conflict (the clientMessageId belongs to another message),
    Overloaded, Unavailable.
    """
    check_content(content)
    check_attributes(type=type, client_message_id=client_message_id, meta=meta)
    if (room_id is None) == (to_user_id is None):
        problem = "Give either roomId or toUserId."
        raise Invalid(problem, fields={"roomId": [problem]})
    if to_user_id is not None:
        room_id = (await open_direct(user_id=sender_id, other_id=to_user_id))[0].pk
    assert room_id is not None
    # Before the limits, so that a stranger cannot use up the limit of a room. The log checks again at the commit.
    access = await get_write_access_cache().require(room_id=room_id, user_id=sender_id)
    require_may_write(access)
    if reply_to is not None:
        await run_db(_require_reply_target, room_id, reply_to, sender_id, client_message_id)
    await get_rate_limiter().check(MESSAGES_USER.of(sender_id), MESSAGES_ROOM.of(room_id))
    return await get_writer().append(
        Draft(
            room_id=room_id,
            sender_id=sender_id,
            membership_id=access.membership_id,
            content=content,
            type=type,
            client_message_id=client_message_id,
            reply_to=reply_to,
            meta=meta or {},
        )
    )


def _require_reply_target(
    room_id: UUID, reply_to: UUID, sender_id: UUID, client_message_id: str | None
) -> None:
    if Message.objects.filter(pk=reply_to, room_id=room_id).exists():
        return
    # The message may be a late retry of an archived one, which replied to a message that is archived too.
    key = key_id((room_id, sender_id, client_message_id)) if client_message_id else None
    if key is None or not ArchivedKey.objects.filter(pk=key).exists():
        raise Invalid("replyTo is no message of this room.", fields={"replyTo": ["No message of this room."]})
