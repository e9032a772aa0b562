"""Resume: sends a reconnecting client what it missed, or says what was too much for one answer.

Changes and messages are two parts: `resume_changes` and `resume_rooms`.
"""

from datetime import datetime
from uuid import UUID

from foundation import times
from foundation.database import run_db
from foundation.errors import Invalid
from foundation.ids import read_id
from foundation.limits.named import RESUMES_USER
from foundation.limits.shared import get_rate_limiter
from foundation.server_clock import get_server_clock
from realtime.session.connection import Connection
from rooms import selectors as rooms
from rooms.models import Membership

from .events import Resume, ResumeReply
from .log.heads import read_heads
from .resume_budget import ResumeBudget
from .resume_changes import ChangeReplay
from .resume_rooms import RoomReplay

MAX_ROOMS = 1000


async def replay(*, connection: Connection, request: Resume) -> ResumeReply:
    """Send changes and missed messages, and hold live frames back meanwhile, so that each room's order is kept.

    The reply says for each room whether it is complete, and whether more changes wait. Rooms that are not the
    user's are left out, as if they did not exist. Raises Invalid for malformed rooms or times, and RateLimited.
    Safe to repeat.
    """
    last_seqs = parse_rooms(request.rooms)
    since = None if request.since is None else parse_since(request.since)
    await get_rate_limiter().check(RESUMES_USER.of(connection.user_id))
    await get_server_clock().sync()
    connection.hold()
    try:
        memberships, heads = await run_db(_read_rooms, connection.user_id, last_seqs)
        # Read before the changes: one made later is either sent now, or not before the serverTime of the reply.
        now = get_server_clock().now()
        budget, next_since = ResumeBudget.configured(), None
        if since is not None:
            next_since = await ChangeReplay(connection, memberships, last_seqs, since, now).send(budget)
        answers = await RoomReplay(connection, memberships, last_seqs, heads).send(budget)
    finally:
        connection.release()
    return ResumeReply(
        rooms={str(room_id): answer for room_id, answer in answers.items()},
        server_time=str(times.to_wire(next_since or now)),
        more=next_since is not None,
    )


def _read_rooms(user_id: UUID, last_seqs: dict[UUID, int]) -> tuple[dict[UUID, Membership], dict[UUID, int]]:
    """The user's memberships of these rooms, and the heads of the rooms: a few queries for all of them."""
    rooms.write_marks(room_ids=last_seqs)
    memberships = rooms.user_memberships(user_id=user_id, room_ids=last_seqs)
    found = [membership.room for membership in memberships.values()]
    # Where marks follow their messages, a crash leaves a row behind for some seconds, until the hub looks into the
    # log. Then it is not the client that is ahead.
    unsure = [room for room in found if last_seqs[room.pk] > room.last_seq]
    return memberships, {room.pk: room.last_seq for room in found} | read_heads(unsure)


def parse_rooms(rooms_wanted: dict[str, int]) -> dict[UUID, int]:
    """`{roomId: lastSeq}` with its ids parsed. Raises Invalid that names the room."""
    if len(rooms_wanted) > MAX_ROOMS:
        raise Invalid(f"At most {MAX_ROOMS} rooms at once.", fields={"rooms": [f"At most {MAX_ROOMS}."]})
    wanted = {}
    for room_id, last_seq in rooms_wanted.items():
        try:
            wanted[read_id(room_id)] = last_seq
        except ValueError:
            raise Invalid(
                f"rooms: {room_id[:64]!r} is no room id.", fields={"rooms": ["Not a UUID."]}
            ) from None
        if not 0 <= last_seq < 2**53:
            raise Invalid("rooms: lastSeq is 0 or more.", fields={f"rooms.{room_id}": ["0 or more."]})
    return wanted


def parse_since(text: str) -> datetime:
    """An RFC 3339 time with an offset, such as 2026-11-24T03:40:00.000Z. Raises Invalid."""
    try:
        return times.parse(text)
    except ValueError as error:
        raise Invalid(f"since: {error}", fields={"since": [str(error)]}) from None
