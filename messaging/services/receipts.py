"""Acknowledgements: they move a member's watermarks up. Receipts are computed from the watermarks."""

from uuid import UUID

from foundation.database import run_db
from foundation.errors import Invalid
from foundation.limits.local import get_local_limiter
from foundation.limits.named import EVENTS_USER
from messaging import selectors
from messaging.events import Watermarks
from rooms import selectors as rooms
from rooms.services.watermarks import advance_watermarks

from .publishing import publish_watermarks


async def acknowledge(
    *, room_id: UUID, user_id: UUID, status: str, seq: int | None = None, message_id: UUID | None = None
) -> Watermarks:
    """Move the user's watermarks up to a message, given by its seq or its id. Safe to repeat.

    `status` is "delivered" or "read"; a message that was read was also delivered. The room gets `message:ack`
    only if a watermark moved. Raises Invalid, NotFound, RateLimited.
    """
    if (seq is None) == (message_id is None):
        raise Invalid("Give either seq or messageId.", fields={"seq": ["Give either seq or messageId."]})
    get_local_limiter().check(EVENTS_USER.of(user_id))
    watermarks, moved = await run_db(_acknowledge, room_id, user_id, status, seq, message_id)
    if moved:
        publish_watermarks(watermarks)
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
