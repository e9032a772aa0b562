"""The marks that follow from stored messages: cached heads of rooms, and watermarks of senders."""

from messaging.drafts import Draft
from messaging.models import Message
from rooms.marks import Head, marks_follow, move_up, pending_marks


def advance_marks(drafts: list[Draft], messages: list[Message]) -> None:
    """Move up the cached heads of the rooms and the senders' watermarks: a sender has read what came before.

    Within the transaction where the database has one; else later, by the mark writer, since a crash between the
    two writes would leave the same state either way.
    """
    messages = sorted(messages, key=lambda message: message.seq)
    heads = {message.room_id: Head(message.seq, message.pk, message.created_at) for message in messages}
    seqs = {message.pk: message.seq for message in messages}
    own_read = {
        draft.membership_id: seqs[draft.id] for draft in drafts if draft.id in seqs and draft.membership_id
    }
    advance = pending_marks.add if marks_follow() else move_up
    advance(heads, own_read)
