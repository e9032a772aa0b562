"""Verifies a room's archive against its row in the database. Reads only; for `check_integrity`."""

from collections.abc import Iterator

from rooms.models import Room

from .archive import Archive
from .archive_manifest import ArchiveError


def archive_problems(*, room: Room, archive: Archive) -> Iterator[str]:
    """What is wrong with the archive of the messages before the room's `first_seq`, one sentence for each.

    Reads every file of the room, and verifies its checksum and its messages.
    """
    try:
        chunks = archive.manifest(room.pk).chunks
    except ArchiveError as error:
        yield str(error)
        return
    reached = 0
    for chunk in chunks:
        if chunk.first_seq >= room.first_seq:
            break
        if chunk.first_seq > reached + 1:
            yield f"the archive has no messages {reached + 1} to {chunk.first_seq - 1}"
        reached = chunk.last_seq
        try:
            archive.read(room.pk, chunk)
        except ArchiveError as error:
            yield str(error)
    if reached < room.first_seq - 1:
        yield f"the archive has no messages {reached + 1} to {room.first_seq - 1}"
