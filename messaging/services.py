"""Writes to the log, receipts, and the events that tell of them. Keyword-only; no request, view or socket.

`hub.publish` stands only in services, after the write. Socket and REST both enter here.
"""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from foundation import loop, times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.limits.shared import get_rate_limiter
from foundation.text import meta_problem, text_problem
from realtime.hub.hub import get_hub
from realtime.wire.events import ServerEvent
from rooms import selectors as rooms
from rooms.models import Membership, Room
from rooms.permissions import require_may_write, require_role
from rooms.services import advance_watermarks, open_direct
from rooms.topics import room_topic
from rooms.write_access import Standing, get_standings

from . import selectors
from .drafts import Draft, Stored, key_id
from .events import (
    DELETED_TYPE,
    MESSAGE_ACK,
    MESSAGE_DELETED,
    MESSAGE_RECEIVE,
    MESSAGE_UPDATED,
    MessageData,
    Watermarks,
    message_data,
)
from .log import MessageLog
from .mark_writer import get_settler
from .models import ArchivedKey, Message, MessageRevision
from .writer import MessageWriter

MAX_EDIT_ATTEMPTS = 5
MESSAGE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,31}")


@loop.one_per_loop
def get_writer() -> MessageWriter:
    """The writer of this process; it lives on the process's loop and drains when that stops."""
    log = MessageLog()
    writer = MessageWriter(lambda drafts: run_db(log.store, drafts), announce_stored)
    loop.on_stop("writer", writer.stop)
    return writer


def announce_stored(batch: list[Stored]) -> None:
    """Tell each room of its new messages, in the order of their seq."""
    get_settler().wake()
    for stored in batch:
        frame = MESSAGE_RECEIVE.encode(message_data(stored.message, stored.room))
        topic, seq = room_topic(stored.room.pk), stored.message.seq
        get_hub().publish(topic, frame, seq=seq, trace=stored.trace)


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
    """Store a message and tell the room; returns after the commit. A retry with its clientMessageId is safe.

    Goes to `room_id`, or to the direct room with `to_user_id`, which is made when there is none. Raises Invalid,
    NotFound, Muted, RateLimited, Conflict (the id was used for another message), Overloaded, Unavailable.
    """
    check_content(content)
    _check_rest(type, client_message_id, meta)
    if (room_id is None) == (to_user_id is None):
        raise Invalid(
            "Give either roomId or toUserId.", fields={"roomId": ["Give either roomId or toUserId."]}
        )
    if to_user_id is not None:
        room_id = (await open_direct(user_id=sender_id, other_id=to_user_id))[0].pk
    assert room_id is not None
    # Asked before the limits, so that a stranger cannot use up a room's; the writer asks again at the commit.
    standing = await get_standings().require(room_id=room_id, user_id=sender_id)
    require_may_write(standing)
    if reply_to is not None:
        await run_db(_require_replied, room_id, reply_to, sender_id, client_message_id)
    await _limit_messages(sender_id, room_id)
    return await get_writer().append(
        Draft(
            room_id=room_id,
            sender_id=sender_id,
            membership_id=standing.membership_id,
            content=content,
            type=type,
            client_message_id=client_message_id,
            reply_to=reply_to,
            meta=meta or {},
        )
    )


def _require_replied(room_id: UUID, reply_to: UUID, sender_id: UUID, client_message_id: str | None) -> None:
    if Message.objects.filter(pk=reply_to, room_id=room_id).exists():
        return
    # The late retry of an archived message may reply to one that is archived too.
    key = key_id((room_id, sender_id, client_message_id)) if client_message_id else None
    if key is None or not ArchivedKey.objects.filter(pk=key).exists():
        raise Invalid("replyTo is no message of this room.", fields={"replyTo": ["No message of this room."]})


async def _limit_messages(sender_id: UUID, room_id: UUID) -> None:
    if settings.RATE_LIMITS:
        await get_rate_limiter().check(
            (f"messages:user:{sender_id}", settings.LIMIT_MESSAGES_USER),
            (f"messages:room:{room_id}", settings.LIMIT_MESSAGES_ROOM),
        )


def check_content(content: str) -> None:
    """Invalid for empty text, text that is too long and control characters; stored as typed otherwise."""
    problem = text_problem(content)
    if not content.strip():
        problem = "Must not be empty."
    elif len(content) > settings.MAX_CONTENT_CHARS:
        problem = f"Longer than {settings.MAX_CONTENT_CHARS} characters."
    if problem:
        raise Invalid(f"content: {problem}", fields={"content": [problem]})


def _check_rest(type: str, client_message_id: str | None, meta: dict[str, Any] | None) -> None:
    if type == DELETED_TYPE:
        raise Invalid(
            fields={"type": [f"{DELETED_TYPE} is what deleted messages show; choose another type."]}
        )
    if not MESSAGE_TYPE.fullmatch(type):
        raise Invalid(fields={"type": ["A small letter, then up to 31 of a-z, 0-9, '.', '_' and '-'."]})
    if client_message_id is not None and (problem := text_problem(client_message_id)):
        raise Invalid(fields={"clientMessageId": [problem]})
    if meta is not None and (problem := meta_problem(meta, max_bytes=settings.MAX_META_BYTES)):
        raise Invalid(fields={"meta": [problem]})


async def edit_message(
    *, room_id: UUID, message_id: UUID, actor_id: UUID, content: str
) -> tuple[Message, Room]:
    """Change one's own message; what stood there before is kept as a revision. Safe to repeat."""
    check_content(content)
    message, room = await run_db(_edit, room_id, message_id, actor_id, content)
    tell_changed(MESSAGE_UPDATED, message, room)
    return message, room


def _edit(room_id: UUID, message_id: UUID, actor_id: UUID, content: str) -> tuple[Message, Room]:
    membership = rooms.require_member(room_id=room_id, user_id=actor_id)
    require_may_write(Standing.of(membership))
    message = require_existing(membership.room, message_id)
    if message.sender_id != actor_id:
        raise Forbidden("Only its author edits a message.")
    now = times.now()
    changes = {"content": content, "edited_at": now, "edited_by_id": actor_id, "changed_at": now}
    return _change(message, changes), membership.room


async def delete_message(
    *, room_id: UUID, message_id: UUID, actor_id: UUID, reason: str = ""
) -> tuple[Message, Room]:
    """Make a message a tombstone, as its author or an admin of the room; its text stays for the moderators."""
    message, room = await run_db(_delete, room_id, message_id, actor_id, reason)
    tell_changed(MESSAGE_DELETED, message, room)
    return message, room


def _delete(room_id: UUID, message_id: UUID, actor_id: UUID, reason: str) -> tuple[Message, Room]:
    membership = rooms.require_member(room_id=room_id, user_id=actor_id)
    message = require_existing(membership.room, message_id)
    if message.sender_id != actor_id:
        require_role(membership, Membership.Role.ADMIN)
    return bury(message, actor_id, reason), membership.room


def bury(message: Message, actor_id: UUID, reason: str) -> Message:
    """The message as a tombstone; what it said is kept as a revision."""
    now = times.now()
    changes = {"deleted_at": now, "deleted_by_id": actor_id, "delete_reason": reason, "changed_at": now}
    return _change(message, {"content": "", "meta": {}, **changes})


def require_existing(room: Room, message_id: UUID) -> Message:
    """The message, if it can still be changed. NotFound for one that is deleted, archived or of another room."""
    message = selectors.get_message(room_id=room.pk, message_id=message_id)
    if message.deleted_at is not None:
        raise NotFound("This message was deleted.")
    if message.seq < room.first_seq:
        raise NotFound("This message was archived.")
    return message


def _change(message: Message, changes: dict[str, Any]) -> Message:
    """Keep the present version as a revision, then replace it if nobody else did in between.

    The revision tells of the version it holds, not of the change, so that one left behind by a crash between
    the two writes is still true, and the next change goes on from it.
    """
    for _ in range(MAX_EDIT_ATTEMPTS):
        _keep_revision(message)
        present = Message.objects.filter(pk=message.pk, version=message.version, deleted_at__isnull=True)
        if present.update(version=message.version + 1, **changes):
            return Message.objects.get(pk=message.pk)
        message = require_existing(message.room, message.pk)
    raise Conflict("The message is being changed by others. Try again.")


def _keep_revision(message: Message) -> None:
    try:
        MessageRevision.objects.create(
            message=message,
            version=message.version,
            content=message.content,
            meta=message.meta,
            written_by_id=message.edited_by_id or message.sender_id,
            written_at=message.edited_at or message.created_at,
        )
    except IntegrityError:
        pass  # kept already, by whoever changes it at this moment or died doing so


def tell_changed(event: ServerEvent[MessageData], message: Message, room: Room) -> None:
    get_hub().publish(room_topic(room.pk), event.encode(message_data(message, room)))


async def acknowledge(
    *, room_id: UUID, user_id: UUID, status: str, seq: int | None = None, message_id: UUID | None = None
) -> Watermarks:
    """Move the user's watermarks up to a message, by its seq or its id; the room hears only of a move."""
    if (seq is None) == (message_id is None):
        raise Invalid("Give either seq or messageId.", fields={"seq": ["Give either seq or messageId."]})
    watermarks, moved = await run_db(_acknowledge, room_id, user_id, status, seq, message_id)
    if moved:
        get_hub().publish(room_topic(room_id), MESSAGE_ACK.encode(watermarks))
    return watermarks


def _acknowledge(
    room_id: UUID, user_id: UUID, status: str, seq: int | None, message_id: UUID | None
) -> tuple[Watermarks, bool]:
    membership = rooms.require_member(room_id=room_id, user_id=user_id)
    if message_id is not None:
        seq = selectors.get_message(room_id=room_id, message_id=message_id).seq
    assert seq is not None
    if seq < 1 or (seq > membership.room.last_seq and seq > selectors.room_head(room=membership.room)):
        raise Invalid("seq is no message of this room.", fields={"seq": ["No message of this room."]})
    read_seq = seq if status == "read" else 0
    moved = advance_watermarks(room_id=room_id, user_id=user_id, delivered_seq=seq, read_seq=read_seq)
    watermarks = Watermarks(
        room_id=room_id,
        user_id=user_id,
        delivered_seq=max(seq, membership.delivered_seq),
        read_seq=max(read_seq, membership.read_seq),
    )
    return watermarks, moved


def parse_moment(text: str, *, field: str) -> datetime:
    """An RFC 3339 time with an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # Far enough from year 1 that no offset or allowance leads out of what a datetime can say.
    if moment is None or moment.tzinfo is None or moment < times.from_timestamp(0):
        problem = "Not an RFC 3339 time with an offset, such as 2026-11-24T03:40:00.000Z."
        raise Invalid(f"{field}: {problem}", fields={field: [problem]})
    return moment
