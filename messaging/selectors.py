"""Reads of the log: history, changes, receipts, search. Synchronous; functions take keyword arguments only.

Since seq has no gaps, a page of history is a range of seqs: no sort, no offset, the same cost at any depth.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from foundation.errors import Invalid, NotFound
from foundation.folding import fold
from realtime.wire.protocol import to_builtins
from rooms import selectors as rooms
from rooms.models import Membership, Room

from .events import History, MessageData, Receipts, message_data
from .log.heads import read_heads
from .models import Message

Anchor = int | UUID | datetime


def get_message(*, room_id: UUID, message_id: UUID) -> Message:
    """The message, which may be a tombstone. Raises NotFound for a message of another room."""
    message = Message.objects.filter(pk=message_id, room_id=room_id).first()
    if message is None:
        raise NotFound("There is no such message in this room.")
    return message


def require_existing(*, room: Room, message_id: UUID) -> Message:
    """The message. Raises NotFound if it is deleted, archived or of another room."""
    message = get_message(room_id=room.pk, message_id=message_id)
    if message.deleted_at is not None:
        raise NotFound("This message was deleted.")
    if message.seq < room.first_seq:
        raise NotFound("This message was archived.")
    return message


def room_history(
    *,
    room: Room,
    limit: int,
    before: Anchor | None = None,
    after: Anchor | None = None,
    around: Anchor | None = None,
) -> History:
    """Up to `limit` messages, oldest first: the newest ones, or those before, after or around an anchor.

    `has_more` says whether there are more in the direction that was asked for; around an anchor, in either one.
    Archived messages are left out: `first_seq` is the seq of the first message that is not archived.
    """
    oldest, last = room.first_seq, room_head(room=room)
    if after is not None:
        first = max(oldest, anchor_seq(room=room, anchor=after, head=last, past_equal=True) + 1)
        page = _range(room, first, first + limit - 1)
        return _history(room, page, has_more=first + limit - 1 < last)
    if around is not None:
        middle = min(anchor_seq(room=room, anchor=around, head=last), last)
        first = max(oldest, middle - limit // 2)
        page = _range(room, first, first + limit - 1)
        return _history(room, page, has_more=first > oldest or first + limit - 1 < last)
    end = last + 1 if before is None else min(anchor_seq(room=room, anchor=before, head=last), last + 1)
    first = max(oldest, end - limit)
    page = _range(room, first, end - 1)
    return _history(room, page, has_more=first > oldest and end > oldest)


def room_head(*, room: Room) -> int:
    """The seq of the room's last message, read from the log: the cached head may be behind."""
    return read_heads([room])[room.pk]


def anchor_seq(*, room: Room, anchor: Anchor, head: int, past_equal: bool = False) -> int:
    """The seq that an anchor stands for. A time stands for the first message at or after it.

    With `past_equal` a time stands for the last message at or before it, so that a page "after" it repeats none.
    `head` is the seq of the room's last message.
    """
    if isinstance(anchor, int):
        return anchor
    if isinstance(anchor, UUID):
        return get_message(room_id=room.pk, message_id=anchor).seq
    return _bisect(room, anchor, head, past_equal)


def _bisect(room: Room, moment: datetime, head: int, past_equal: bool) -> int:
    """Find a time by bisection over the seqs: 20 point reads for a million messages, and no index on time."""
    low, high = room.first_seq, head + 1
    while low < high:
        middle = (low + high) // 2
        created_at = (
            Message.objects.filter(room_id=room.pk, seq=middle).values_list("created_at", flat=True).first()
        )
        before = created_at is None or created_at < moment or (past_equal and created_at == moment)
        low, high = (middle + 1, high) if before else (low, middle)
    return low - 1 if past_equal else low


def messages_between(*, room_id: UUID, after_seq: int, through_seq: int) -> list[Message]:
    """Messages with after_seq < seq <= through_seq, in order."""
    return list(
        Message.objects.filter(room_id=room_id, seq__gt=after_seq, seq__lte=through_seq).order_by("seq")
    )


def changed_messages(
    *, room_ids: Iterable[UUID], since: datetime, after_id: UUID | None = None, limit: int
) -> list[Message]:
    """Messages of all these rooms that were edited or deleted at or after `since`, in the order of the changes.

    At most `limit`. The next page begins at the time and after the id of the last message of this one.
    """
    changed = Message.objects.filter(room_id__in=list(room_ids))
    if after_id is None:
        return list(changed.filter(changed_at__gte=since).order_by("changed_at", "pk")[:limit])
    page = list(changed.filter(changed_at=since, pk__gt=after_id).order_by("pk")[:limit])
    if len(page) < limit:
        later = changed.filter(changed_at__gt=since).order_by("changed_at", "pk")
        page += later[: limit - len(page)]
    return page


def message_receipts(*, room_id: UUID, message_id: UUID) -> Receipts:
    """The members who have received and who have read the message, computed from their watermarks.

    Its sender is left out, and so are members who joined after it: their watermarks began above it.
    """
    rooms.write_marks(room_ids=[room_id])
    message = get_message(room_id=room_id, message_id=message_id)
    members = Membership.objects.filter(
        room_id=room_id, delivered_seq__gte=message.seq, joined_seq__lt=message.seq
    )
    watermarks = list(members.exclude(user_id=message.sender_id).values_list("user_id", "read_seq"))
    return Receipts(
        delivered_to=[user_id for user_id, _ in watermarks],
        read_by=[user_id for user_id, read_seq in watermarks if read_seq >= message.seq],
    )


def search_messages(*, user_id: UUID, text: str, room_id: UUID | None = None) -> QuerySet[Message]:
    """Messages that contain `text`, in all of the user's rooms or in one of them; NotFound if that is not theirs.

    Case, accents and width do not matter. Reads the rooms' own messages and no others: an index of words would read
    those of all rooms, and find no part of a word and no Chinese. Raises Invalid for text that shows nothing.
    """
    key = fold(text)
    if not key.strip():
        raise Invalid(fields={"q": ["Give a text that shows something."]})
    found = Message.objects.filter(deleted_at__isnull=True, search_text__contains=key).select_related("room")
    if room_id is None:
        return found.filter(room_id__in=list(rooms.rooms_of_users(user_ids=[user_id])[user_id]))
    return found.filter(room_id=rooms.require_member(room_id=room_id, user_id=user_id).room_id)


def last_messages(*, rooms: Iterable[Room]) -> dict[UUID, dict[str, Any]]:
    """The last message of each room as shown on the wire, by room id; empty rooms are left out.

    One query for the ids that the rooms' rows name. A row that is behind its log, because another process wrote
    or a crash lost the update, costs one more read for its room.
    """
    by_id = {room.pk: room for room in rooms if room.last_seq}
    ids = [room.last_message_id for room in by_id.values() if room.last_message_id]
    found = {message.room_id: message for message in Message.objects.filter(pk__in=ids)} if ids else {}
    for room in by_id.values():
        if room.pk not in found or found[room.pk].seq != room.last_seq:
            found.pop(room.pk, None)
            if message := Message.objects.filter(room_id=room.pk, seq=room.last_seq).first():
                found[room.pk] = message
    return {room_id: to_builtins(message_data(message, by_id[room_id])) for room_id, message in found.items()}


def _range(room: Room, first: int, last: int) -> list[Message]:
    return messages_between(room_id=room.pk, after_seq=first - 1, through_seq=last)


def _history(room: Room, messages: Iterable[Message], *, has_more: bool) -> History:
    return History(results=data_of(messages, room), has_more=has_more, first_seq=room.first_seq)


def data_of(messages: Iterable[Message], room: Room) -> list[MessageData]:
    return [message_data(message, room) for message in messages]
