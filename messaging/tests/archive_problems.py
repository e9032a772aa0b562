"""Reads a room's whole archive, and compares it with the room."""

from collections.abc import Iterator

from messaging.archive import Archive
from messaging.archive_manifest import ArchiveError, missing_ranges
from rooms.models import Room


def archive_problems(*, room: Room, archive: Archive) -> Iterator[str]:
    """What is wrong with the archive of the messages before the room's `first_seq`, one sentence for each."""
    try:
        chunks = archive.manifest(room.pk).chunks
    except ArchiveError as error:
        yield str(error)
        return
    for chunk in chunks:
        try:
            archive.read(room.pk, chunk)
        except ArchiveError as error:
            yield str(error)
    for first, last in missing_ranges(chunks, before=room.first_seq):
        yield f"the archive has no messages {first} to {last}"
