"""Publishes the events of messages to every connection that is subscribed to the room.

Services call these functions after their write, and the typing indicators call the last ones. No other module of
messaging uses the hub.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from accounts.topics import user_address
from messaging.drafts import Draft, Outcome, Stored
from messaging.events import (
    MESSAGE_ACK,
    MESSAGE_DELETED,
    MESSAGE_RECEIVE,
    MESSAGE_UPDATED,
    TYPING,
    TypingUpdate,
    Watermarks,
    message_data,
)
from messaging.models import Message
from realtime.hub.hub import get_hub
from rooms.models import Room
from rooms.services.publishing import notify_added
from rooms.topics import room_topic

TYPING_STOPPED = "typing:stopped"


def publish_stored(batch: list[Stored]) -> None:
    """Publish new messages as `message:receive`. Messages of one room have to be in the order of their seqs."""
    for stored in batch:
        frame = MESSAGE_RECEIVE.encode(message_data(stored.message, stored.room))
        topic, seq = room_topic(stored.room.pk), stored.message.seq
        get_hub().publish(topic, frame, seq=seq, trace=stored.trace)


def notify_first(drafts: list[Draft], outcomes: list[Outcome]) -> None:
    """Add direct rooms to the sockets of their users with the first message, if its sender named the user.

    Not when the room is made, so that nobody is told of a room for a message that was not stored.
    """
    for draft, outcome in zip(drafts, outcomes, strict=True):
        if draft.to_user_id is None or not isinstance(outcome, Stored) or outcome.duplicate:
            continue
        if outcome.message.seq == 1:
            notify_added(draft.room_id, {draft.sender_id, draft.to_user_id})


def publish_updated(message: Message, room: Room) -> None:
    """Publish an edited message as `message:updated`."""
    frame = MESSAGE_UPDATED.encode(message_data(message, room))
    get_hub().publish(room_topic(room.pk), frame)


def publish_deleted(message: Message, room: Room) -> None:
    """Publish a tombstone as `message:deleted`."""
    frame = MESSAGE_DELETED.encode(message_data(message, room))
    get_hub().publish(room_topic(room.pk), frame)


def publish_watermarks(watermarks: Watermarks) -> None:
    """Publish a member's new watermarks as `message:ack`."""
    get_hub().publish(room_topic(watermarks.room_id), MESSAGE_ACK.encode(watermarks))


def publish_typing(*, room_id: UUID, user_id: UUID, is_typing: bool) -> None:
    """Publish `typing` to the other members. The user's own connections do not get it, and nothing is stored."""
    frame = TYPING.encode(TypingUpdate(room_id=room_id, user_id=user_id, is_typing=is_typing))
    get_hub().publish(room_topic(room_id), frame, droppable=True, exclude_address=user_address(user_id))


def notify_typing_stopped(*, room_id: UUID, user_id: UUID) -> None:
    """Tell every process that a user's last connection of this one stopped typing in the room."""
    get_hub().notify(TYPING_STOPPED, {"room_id": str(room_id), "user_id": str(user_id)})


def on_typing_stopped(listener: Callable[[dict[str, Any]], None]) -> None:
    """Have `listener` called in this process with each notice of `notify_typing_stopped`."""
    get_hub().listen(TYPING_STOPPED, listener)
