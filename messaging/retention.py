"""Retention: moves the oldest messages of a room into an archive, and back. Synchronous, for commands.

A run that was killed at any point can be repeated, because two places record the progress: the manifest of the
archive, and `Room.first_seq`, the first seq that the database still shows. The steps for each chunk are:

1. Write the chunk and read it back.
2. Keep the keys of its messages, since a clientMessageId stays used for ever.
3. Move `first_seq` up. No request that starts later reads or changes these messages.
4. Wait for edits in progress (the grace period), compare each row with its archived line, and remove it.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError

from rooms.models import Room

from .archive import Archive
from .archive_keys import forget_keys, keep_keys, mark_keys_deleted
from .archive_lines import decode_line, keeps, message_id_of, without_change_time
from .archive_manifest import ArchiveError, Chunk, Manifest
from .archive_rows import batches, delete_rows, insert_rows, load_rows, stamp_changes
from .models import Message
from .selectors import room_head

CHUNK_MESSAGES = 2000


class Busy(ArchiveError):
    """The room's `first_seq` is not the expected one: another run moved it, or another archive comes first."""


class Mismatch(ArchiveError):
    """The database lacks a message, or has another one than the archive."""


def archivable_through(*, room: Room, older_than: datetime) -> int:
    """The last seq up to which all messages are older than the time, without the room's last message.

    Below `first_seq` if there is none. Not by bisection: where a clock went back, times are in no order, and no
    younger message may go with an older one behind it.
    """
    log = Message.objects.filter(room_id=room.pk, seq__gte=room.first_seq)
    younger = log.filter(created_at__gte=older_than).order_by("seq").values_list("seq", flat=True).first()
    head = room_head(room=room)
    return min(head, head if younger is None else younger) - 1


def archive_room(
    *, room: Room, through: int, archive: Archive, chunk_messages: int = CHUNK_MESSAGES
) -> Iterator[int]:
    """Archive messages up to the seq `through`. Yields the number of messages of each chunk.

    Safe to repeat. Raises ArchiveError.
    """
    manifest = archive.manifest(room.pk)
    archive.clear_replaced(manifest)
    while room.first_seq <= through:
        last_seq = min(room.first_seq + chunk_messages - 1, through)
        messages = load_rows(room.pk, room.first_seq, last_seq)
        missing = set(range(room.first_seq, last_seq + 1)) - {message.seq for message in messages}
        if missing:
            raise Mismatch(f"the database has no message {min(missing)}")
        archive.write(manifest, list(messages.values()), room.first_seq, last_seq)
        keep_keys(messages)
        _move_first(room, last_seq + 1)
        yield len(messages)


def chunks_to_remove(*, room: Room, manifest: Manifest) -> list[Chunk]:
    """The chunks that are archived and still in the database, also if that is a copy from before their removal."""
    rows = Message.objects.filter(room_id=room.pk, seq__lt=room.first_seq).order_by("seq")
    lowest = rows.values_list("seq", flat=True).first() or room.first_seq
    return [
        chunk
        for chunk in manifest.chunks
        if chunk.last_seq < room.first_seq and (not chunk.removed or chunk.last_seq >= lowest)
    ]


def remove_archived(*, room: Room, archive: Archive) -> Iterator[int]:
    """Remove the rows of archived messages. Yields the number of messages of each chunk.

    Safe to repeat. Raises ArchiveError.
    """
    manifest = archive.manifest(room.pk)
    for chunk in chunks_to_remove(room=room, manifest=manifest):
        archived = {message_id_of(line): line for line in archive.read(room.pk, chunk)}
        present = load_rows(room.pk, chunk.first_seq, chunk.last_seq)
        late = _late(archived, present)
        # Again, because an interrupted restore may have deleted them.
        keep_keys(present)
        if late:
            # Changed by an edit that was in progress when first_seq moved.
            mark_keys_deleted(message for message in present if message.pk in late)
            chunk = archive.write(manifest, list((archived | late).values()), chunk.first_seq, chunk.last_seq)
        for batch in batches(list(archived)):
            delete_rows(batch)
        chunk.removed = True
        archive.save(manifest)
        yield chunk.count


def _late(archived: dict[UUID, bytes], present: dict[Message, bytes]) -> dict[UUID, bytes]:
    """The lines of the rows that the archive does not have in this version. Raises Mismatch."""
    late = {}
    for message, line in present.items():
        former = archived.get(message.pk)
        if former is None or not (keeps(line, former) or keeps(former, line)):
            raise Mismatch(f"message {message.seq} is another one in the archive")
        if line != former and keeps(line, former):
            late[message.pk] = line
    return late


def chunks_to_restore(*, room: Room, manifest: Manifest) -> list[Chunk]:
    """The chunks that are archived and not restored, the newest first."""
    return [chunk for chunk in reversed(manifest.chunks) if chunk.first_seq < room.first_seq]


def restore_room(*, room: Room, archive: Archive) -> Iterator[int]:
    """Put all archived messages back. Yields the number of messages of each chunk.

    Safe to repeat. Raises ArchiveError.
    """
    manifest = archive.manifest(room.pk)
    for chunk in chunks_to_restore(room=room, manifest=manifest):
        if chunk.last_seq < room.first_seq - 1:
            raise Busy(
                f"the room begins at seq {room.first_seq}, and this archive has {chunk.first_seq} to"
                f" {chunk.last_seq}. Restore the archive with seq {room.first_seq - 1} first"
            )
        yield _restore_chunk(room, archive, manifest, chunk)


def _restore_chunk(room: Room, archive: Archive, manifest: Manifest, chunk: Chunk) -> int:
    """Put back what is before the room's first seq; returns the number of messages."""
    lines = archive.read(room.pk, chunk)[: room.first_seq - chunk.first_seq]
    last_seq = chunk.first_seq + len(lines) - 1
    # Saved first: if the run is killed after this, the next archiving run removes the rows again.
    chunk.removed = False
    archive.save(manifest)
    rows = [decode_line(line) for line in lines]
    try:
        # From the end, so that the log never has a gap.
        for batch in batches(rows[::-1]):
            insert_rows(batch)
    except IntegrityError as error:
        raise Mismatch(
            f"messages {chunk.first_seq} to {last_seq} do not fit the database: {error}"
        ) from error
    present = load_rows(room.pk, chunk.first_seq, last_seq).values()
    if list(map(without_change_time, present)) != list(map(without_change_time, lines)):
        raise Mismatch(f"messages {chunk.first_seq} to {last_seq} are not in the database as archived")
    # Before the rows are shown: a client that resumed while they were archived has not got their changes.
    stamp_changes(room.pk, chunk.first_seq, last_seq)
    forget_keys(message for message, _ in rows)
    _move_first(room, chunk.first_seq)
    return len(lines)


def _move_first(room: Room, first_seq: int) -> None:
    if not Room.objects.filter(pk=room.pk, first_seq=room.first_seq).update(first_seq=first_seq):
        raise Busy("another run moved the room's first seq meanwhile")
    room.first_seq = first_seq
