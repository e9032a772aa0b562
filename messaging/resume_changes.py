"""The part of a resume that repeats edits and deletions, in the order in which they were made.

Changes of all rooms are one series by (changed_at, id), which a reply may cut anywhere between two times. So they
reach a client however many there are, and also in rooms whose messages are too many for a resume.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from foundation.database import run_db
from realtime.session.connection import Connection
from rooms.models import Membership

from . import selectors
from .events import MESSAGE_DELETED, MESSAGE_UPDATED, message_data
from .models import Message
from .resume_budget import ResumeBudget

# A change is seen by others a moment after its time, when it is committed, and after a failover the database's
# clock is another one. A resume repeats what was changed in this time before `since`: to send a change twice does
# no harm; to omit one does.
CHANGE_MARGIN = timedelta(seconds=5)
PAGE = 500


@dataclass(slots=True)
class ChangeReplay:
    """Sends what was changed since `since` in the rooms of `memberships`, of messages up to the seq in `last_seqs`.

    Later messages are not repeated: the client gets them as they are now.
    """

    connection: Connection
    memberships: Mapping[UUID, Membership]
    last_seqs: Mapping[UUID, int]
    since: datetime
    now: datetime

    async def send(self, budget: ResumeBudget) -> datetime | None:
        """Send changes until half of the budget is spent. Returns the `since` of the next part, None for the last.

        The other half is for messages, so that changes do not send the client to the history of every room.

        A part ends between two different times, so that the next one repeats nothing. It does not end within the
        last CHANGE_MARGIN, where a change that is earlier than one that was sent may still be committed. These
        changes are sent whole, as all who are connected have got them.
        """
        at = self.since - CHANGE_MARGIN
        after_id: UUID | None = None
        while self.connection.closing is None and (page := await run_db(self._page, at, after_id)):
            kept: list[bytes] = []
            for message, frames in page:
                changed_at = message.changed_at
                assert changed_at is not None
                may_end = after_id is not None and at < changed_at < self.now - CHANGE_MARGIN
                if may_end and budget.half_spent():
                    await self._write(kept)
                    return changed_at + CHANGE_MARGIN
                budget.take(1, frames)
                kept += frames
                at, after_id = changed_at, message.pk
            await self._write(kept)
            if len(page) < PAGE:
                return None
        return None

    def _page(self, since: datetime, after_id: UUID | None) -> list[tuple[Message, list[bytes]]]:
        """The next messages, each with its frame, or without if the client does not have the message."""
        page = selectors.changed_messages(
            room_ids=self.memberships, since=since, after_id=after_id, limit=PAGE
        )
        return [(message, self._frames(message)) for message in page]

    def _frames(self, message: Message) -> list[bytes]:
        if message.seq > self.last_seqs[message.room_id]:
            return []
        event = MESSAGE_DELETED if message.deleted_at else MESSAGE_UPDATED
        return [event.encode(message_data(message, self.memberships[message.room_id].room))]

    async def _write(self, frames: list[bytes]) -> None:
        for frame in frames:
            await self.connection.send(frame)
