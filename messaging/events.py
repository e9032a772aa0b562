"""The events of messages, and the shape of a message on the wire, which socket and REST share."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from foundation.times import to_wire
from realtime.wire.events import Audience, ServerEvent
from realtime.wire.ids import Id
from realtime.wire.protocol import Wire
from rooms.models import Room
from rooms.selectors import direct_peer

from .models import Message

DELETED_TYPE = "deleted"

ClientMessageId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
# The pattern is for the documents: its `$` accepts a final line break, so services/content.py checks again.
MessageType = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.-]{0,31}$")]


class SendMessage(Wire):
    content: str
    room_id: Id | None = None
    to_user_id: Id | None = None
    type: MessageType = "text"
    client_message_id: ClientMessageId | None = None
    reply_to: Id | None = None
    meta: dict[str, Any] | None = None


class SendReply(Wire):
    server_message_id: UUID
    room_id: UUID
    seq: int
    created_at: str | None
    client_message_id: str | None
    duplicate: bool


class AckMessage(Wire):
    room_id: Id
    status: Literal["delivered", "read"]
    seq: int | None = None
    message_id: Id | None = None


class Watermarks(Wire):
    """The highest seqs that a member of a room has received and read."""

    room_id: UUID
    user_id: UUID
    delivered_seq: int
    read_seq: int


class EditMessage(Wire):
    room_id: Id
    message_id: Id
    content: str


class DeleteMessage(Wire):
    room_id: Id
    message_id: Id
    content: None = None


class Typing(Wire):
    room_id: Id
    is_typing: bool


class TypingUpdate(Wire):
    room_id: UUID
    user_id: UUID
    is_typing: bool


class Resume(Wire):
    rooms: dict[str, int]
    since: str | None = None


class RoomComplete(Wire, omit_defaults=True):
    """`{complete: true, from, through}` if all missed messages were sent, else `{complete: false, lastSeq}`.

    `firstSeq` is given if missed messages were archived: history begins at that seq. `reset` is true if the log
    ends before the seq that the client has: an older copy has replaced it, and the client begins the room anew.
    """

    complete: bool
    from_: int | None = msgspec.field(default=None, name="from")
    through: int | None = None
    last_seq: int | None = None
    first_seq: int | None = None
    reset: bool = False


class ResumeReply(Wire, omit_defaults=True):
    """`server_time` is the `since` of the next resume. `more` is true if further changes wait for that one."""

    rooms: dict[str, RoomComplete]
    server_time: str
    more: bool = False


class MessageData(Wire):
    """A message. `to` is the other user of a direct room. A deleted message has type `deleted` and no content."""

    id: UUID
    server_message_id: UUID
    room_id: UUID
    seq: int
    from_: UUID = msgspec.field(name="from")
    to: UUID | None
    content: str
    type: str
    reply_to: UUID | None
    meta: dict[str, Any]
    client_message_id: str | None
    created_at: str | None
    edited_at: str | None


class History(Wire, omit_defaults=True):
    """A page of history. `firstSeq` is given if older messages are archived: the first seq that is not."""

    results: list[MessageData]
    has_more: bool
    first_seq: int = 1


class Receipts(Wire):
    delivered_to: list[UUID]
    read_by: list[UUID]


MESSAGE_RECEIVE = ServerEvent(
    "message:receive",
    MessageData,
    audience=Audience.MEMBERS,
    summary="A message was stored in one of your rooms.",
)
MESSAGE_UPDATED = ServerEvent(
    "message:updated", MessageData, audience=Audience.MEMBERS, summary="A message was edited."
)
MESSAGE_DELETED = ServerEvent(
    "message:deleted",
    MessageData,
    audience=Audience.MEMBERS,
    summary="A message was deleted; this is its tombstone.",
)
MESSAGE_ACK = ServerEvent(
    "message:ack",
    Watermarks,
    audience=Audience.MEMBERS,
    summary="A member has received or read more of a room.",
)
TYPING = ServerEvent(
    "typing", TypingUpdate, audience=Audience.OTHER_MEMBERS, summary="Another member began or ended typing."
)


def message_data(message: Message, room: Room) -> MessageData:
    """The message as shown on the wire. A tombstone has the type `deleted`, no text and no `meta`."""
    deleted = message.deleted_at is not None
    return MessageData(
        id=message.pk,
        server_message_id=message.pk,
        room_id=message.room_id,
        seq=message.seq,
        from_=message.sender_id,
        to=direct_peer(room=room, user_id=message.sender_id) if room.direct_key else None,
        content="" if deleted else message.content,
        type=DELETED_TYPE if deleted else message.type,
        reply_to=message.reply_to,
        meta={} if deleted else message.meta,
        client_message_id=message.client_message_id,
        created_at=to_wire(message.created_at),
        edited_at=to_wire(message.edited_at),
    )


def send_reply(message: Message, *, duplicate: bool) -> SendReply:
    return SendReply(
        server_message_id=message.pk,
        room_id=message.room_id,
        seq=message.seq,
        created_at=to_wire(message.created_at),
        client_message_id=message.client_message_id,
        duplicate=duplicate,
    )
