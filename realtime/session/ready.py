"""`ready`, the first frame on a connection: its data, and the limits that a client has to know."""

from uuid import UUID

from django.conf import settings

from foundation import times
from foundation.limits.named import LIMITS
from foundation.server_clock import get_server_clock
from realtime.wire.events import Audience, ServerEvent
from realtime.wire.protocol import Wire

from .connection import Connection


class Limits(Wire):
    """The limits a client has to know; rates read `count/seconds`."""

    messages_user: str
    messages_room: str
    events_user: str
    typing_user: str
    rooms_user: str
    rooms_user_long: str
    strangers_user: str
    adds_member: str
    connects_ip: str
    connects_user: str
    connects_forged: str
    frames: str
    resumes_user: str
    max_content_chars: int
    max_meta_bytes: int
    max_frame_bytes: int
    max_connections_user: int
    max_room_members: int
    max_rooms_user: int


class Ready(Wire):
    """`ready`, the first frame. `rooms` maps rooms of the user to the seqs of their last messages.

    These are all rooms of the user; or, with `moreRooms`, the most recently active ones, and `ready:rooms` has the
    others.
    """

    user_id: UUID
    connection_id: str
    device_id: str
    server_time: str | None
    expires_at: str | None
    rooms: dict[str, int]
    more_rooms: bool
    limits: Limits


READY = ServerEvent(
    "ready",
    Ready,
    audience=Audience.CONNECTION,
    summary="The first frame after the handshake; live events of all rooms flow from here on.",
)


def ready_data(connection: Connection, *, rooms: dict[str, int], more_rooms: bool = False) -> Ready:
    """The data of the connection's `ready`. `rooms` maps room ids to heads, of all rooms unless `more_rooms`."""
    return Ready(
        user_id=connection.user_id,
        connection_id=connection.id,
        device_id=connection.device_id,
        server_time=times.to_wire(get_server_clock().now()),
        expires_at=times.to_wire(connection.identity.expires_at),
        rooms=rooms,
        more_rooms=more_rooms,
        limits=limits(),
    )


def limits() -> Limits:
    return Limits(
        **{limit.ready_field: str(limit.configured) for limit in LIMITS if limit.ready_field},
        max_content_chars=settings.MAX_CONTENT_CHARS,
        max_meta_bytes=settings.MAX_META_BYTES,
        max_frame_bytes=settings.MAX_FRAME_BYTES,
        max_connections_user=settings.MAX_CONNECTIONS_USER,
        max_room_members=settings.MAX_ROOM_MEMBERS,
        max_rooms_user=settings.MAX_ROOMS_USER,
    )
