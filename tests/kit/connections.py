"""Connections on a hub in the process of the test, for cases that no client can cause."""

from collections.abc import Sequence
from uuid import UUID

from foundation import times
from foundation.ids import uuid7
from realtime.hub.hub import Hub
from realtime.session.connection import Connection, Identity
from realtime.wire.frames import Frame


class Peer:
    """A Transport that keeps the payload of each frame written to it."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def write(self, frames: Sequence[Frame]) -> None:
        self.payloads += [frame.payload for frame in frames]

    def buffered_bytes(self) -> int:
        return 0


async def connect(hub: Hub, user_id: UUID) -> tuple[Connection, Peer]:
    """Attaches a connection of the user to the hub."""
    peer, identity = Peer(), Identity(user_id, uuid7(), times.now())
    connection = Connection(identity=identity, device_id=None, transport=peer)  # type: ignore[arg-type]
    await hub.attach(connection)
    return connection, peer
