"""Advances the watermarks of a member."""

from uuid import UUID

from ..models import Membership


def advance_watermarks(*, room_id: UUID, user_id: UUID, delivered_seq: int, read_seq: int = 0) -> bool:
    """Move a member's watermarks up, never down; True if one of them moved. Safe to repeat.

    Synchronous. Publishes nothing: receipts are events of `messaging`, which calls this.
    """
    member = Membership.objects.filter(room_id=room_id, user_id=user_id)
    moved = member.filter(delivered_seq__lt=delivered_seq).update(delivered_seq=delivered_seq)
    if read_seq:
        moved += member.filter(read_seq__lt=read_seq).update(read_seq=read_seq)
    return bool(moved)
