"""The part of a resume that sends missed messages, room by room. A room is never sent in part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from foundation.database import run_db
from realtime.session.connection import Connection
from rooms.models import Membership

from . import selectors
from .events import MESSAGE_RECEIVE, RoomComplete, message_data
from .resume_budget import ResumeBudget

MAX_GAP = 500


@dataclass(slots=True)
class RoomReplay:
    """Sends what the rooms of `memberships` have after the seqs in `last_seqs`."""

    connection: Connection
    memberships: Mapping[UUID, Membership]
    last_seqs: Mapping[UUID, int]
    heads: Mapping[UUID, int]

    async def send(self, budget: ResumeBudget) -> dict[UUID, RoomComplete]:
        """Send the missed messages, and return the answer for each room.

        Rooms that miss least come first: so the fewest are left for the client to read as history when the budget
        ends.
        """
        answers = {}
        behind = []
        for room_id in self.memberships:
            answers[room_id], is_behind = self._answer(room_id)
            if is_behind:
                behind.append(room_id)
        behind.sort(key=self._gap)
        for batch in self._batches(behind, budget):
            if self.connection.closing is not None:
                break
            for room_id, frames in (await run_db(self._read, batch)).items():
                if not budget.fits(frames):
                    return answers
                budget.take(len(frames), frames)
                for frame in frames:
                    await self.connection.send(frame)
                answers[room_id] = self._complete(room_id)
        return answers

    def _answer(self, room_id: UUID) -> tuple[RoomComplete, bool]:
        """The answer while nothing of the room was sent, and whether messages have to be."""
        last_seq, head = self.last_seqs[room_id], self.heads[room_id]
        first_seq = self.memberships[room_id].room.first_seq
        if last_seq > head:
            return RoomComplete(complete=False, last_seq=head, reset=True), False
        if last_seq + 1 < first_seq:
            return RoomComplete(complete=False, last_seq=head, first_seq=first_seq), False
        if last_seq == head:
            return self._complete(room_id), False
        return RoomComplete(complete=False, last_seq=head), self._gap(room_id) <= MAX_GAP

    def _complete(self, room_id: UUID) -> RoomComplete:
        return RoomComplete(complete=True, from_=self.last_seqs[room_id] + 1, through=self.heads[room_id])

    def _gap(self, room_id: UUID) -> int:
        return self.heads[room_id] - self.last_seqs[room_id]

    def _batches(self, room_ids: list[UUID], budget: ResumeBudget) -> Iterator[list[UUID]]:
        """The rooms whose messages the budget allows, in groups of at most MAX_GAP messages to hold in memory."""
        batch: list[UUID] = []
        size, left = 0, budget.messages_left
        for room_id in room_ids:
            gap = self._gap(room_id)
            if gap > left:
                break
            if size + gap > MAX_GAP:
                yield batch
                batch, size = [], 0
            batch.append(room_id)
            size, left = size + gap, left - gap
        if batch:
            yield batch

    def _read(self, room_ids: list[UUID]) -> dict[UUID, list[bytes]]:
        frames = {}
        for room_id in room_ids:
            room = self.memberships[room_id].room
            missed = selectors.messages_between(
                room_id=room_id, after_seq=self.last_seqs[room_id], through_seq=self.heads[room_id]
            )
            frames[room_id] = [MESSAGE_RECEIVE.encode(message_data(message, room)) for message in missed]
        return frames
