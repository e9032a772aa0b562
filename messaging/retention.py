"""Retention: moves the oldest messages of a room into an archive, and back. Synchronous, for commands.

A run that was killed at any point can be repeated, because two places record the progress: the manifest of the
archive, and `Room.first_seq`, the first seq that the database still shows. The steps for each chunk are:

1. Write the chunk and read it back.
2. Keep the keys of its messages, since a clientMessageId stays used for ever.
3. Move `first_seq` up. No request that starts later reads or changes these messages.
4. Wait for edits in progress (the grace period), compare each row with its archived line, and remove it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from rooms.models import Room

from .archive import Archive, Chunk, Manifest, decode_line, message_id_of, without_change_time
from .archive_rows import batches, delete_rows, insert_rows, load_rows, stamp_changes
from .drafts import key_id
from .models import ArchivedKey, Message
from .selectors import anchor_seq, room_head

CHUNK_MESSAGES = 2000


class Busy(Exception):
    """The room's `first_seq` is not the expected one: another run moved it, or another archive comes first."""


def archivable_through(*, room: Room, older_than: datetime) -> int:
    """The last seq older than the time, without the room's last message; below `first_seq` if there is none."""
    head = room_head(room=room)
    return min(anchor_seq(room=room, anchor=older_than, head=head), head) - 1


def archive_room(
    *, room: Room, through: int, archive: Archive, chunk_messages: int = CHUNK_MESSAGES
) -> Iterator[int]:
    """Archive messages up to the seq `through`. Yields the number of messages of each chunk.

    Safe to repeat. Raises Damaged and Busy.
    """
    manifest = archive.manifest(room.pk)
    while room.first_seq <= through:
        last_seq = min(room.first_seq + chunk_messages - 1, through)
        messages = load_rows(room.pk, room.first_seq, last_seq)
        archive.write(manifest, list(messages.values()), room.first_seq, last_seq)
        _keep_keys(messages)
        _move_first(room, last_seq + 1)
        yield len(messages)


def chunks_to_remove(*, room: Room, manifest: Manifest) -> list[Chunk]:
    """The chunks that are archived and still in the database."""
    return [chunk for chunk in manifest.chunks if not chunk.removed and chunk.last_seq < room.first_seq]


def remove_archived(*, room: Room, archive: Archive) -> Iterator[int]:
    """Remove the rows of archived messages. Yields the number of messages of each chunk.

    Safe to repeat. Raises Damaged.
    """
    manifest = archive.manifest(room.pk)
    for chunk in chunks_to_remove(room=room, manifest=manifest):
        lines = archive.read(room.pk, chunk)
        ids = [message_id_of(line) for line in lines]
        archived = dict(zip(ids, lines, strict=True))
        present = load_rows(room.pk, chunk.first_seq, chunk.last_seq)
        # Again, because an interrupted restore may have deleted them.
        _keep_keys(present)
        late = {message.pk: line for message, line in present.items() if archived.get(message.pk) != line}
        if late:
            # Changed by an edit that was in progress when first_seq moved.
            _mark_keys_deleted(message for message in present if message.pk in late)
            chunk = archive.write(manifest, list((archived | late).values()), chunk.first_seq, chunk.last_seq)
        for batch in batches(ids):
            delete_rows(batch)
        chunk.removed = True
        archive.save(manifest)
        yield chunk.count


def chunks_to_restore(*, room: Room, manifest: Manifest) -> list[Chunk]:
    """The chunks that are archived and not restored, the newest first."""
    return [chunk for chunk in reversed(manifest.chunks) if chunk.first_seq < room.first_seq]


def restore_room(*, room: Room, archive: Archive) -> Iterator[int]:
    """Put all archived messages back. Yields the number of messages of each chunk.

    Safe to repeat. Raises Damaged and Busy.
    """
    manifest = archive.manifest(room.pk)
    for chunk in chunks_to_restore(room=room, manifest=manifest):
        if chunk.last_seq != room.first_seq - 1:
            raise Busy(
                f"room {room.pk} begins at seq {room.first_seq}, and this archive has {chunk.first_seq} to"
                f" {chunk.last_seq}. Restore the archive with seq {room.first_seq - 1} first."
            )
        _restore_chunk(room, archive, manifest, chunk)
        yield chunk.count


def _restore_chunk(room: Room, archive: Archive, manifest: Manifest, chunk: Chunk) -> None:
    lines = archive.read(room.pk, chunk)
    # Saved first: if the run is killed after this, the next archiving run removes the rows again.
    chunk.removed = False
    archive.save(manifest)
    rows = [decode_line(line) for line in lines]
    # From the end, so that the log never has a gap.
    for batch in batches(rows[::-1]):
        insert_rows(batch)
    present = load_rows(room.pk, chunk.first_seq, chunk.last_seq).values()
    if list(map(without_change_time, present)) != list(map(without_change_time, lines)):
        raise Busy(f"messages {chunk.first_seq} to {chunk.last_seq} are not in the database as archived")
    # Before the rows are shown: a client that resumed while they were archived has not got their changes.
    stamp_changes(room.pk, chunk.first_seq, chunk.last_seq)
    # The rows are back, so the unique index of their clientMessageIds takes over from the keys.
    for keys in batches([_key_id(message) for message, _ in rows if message.client_message_id]):
        ArchivedKey.objects.filter(pk__in=keys).delete()
    _move_first(room, chunk.first_seq)


def _keep_keys(messages: Iterable[Message]) -> None:
    keys = [
        ArchivedKey(
            id=_key_id(message),
            message_id=message.pk,
            seq=message.seq,
            fingerprint=message.fingerprint,
            created_at=message.created_at,
            deleted_at=message.deleted_at,
        )
        for message in messages
        if message.client_message_id
    ]
    for batch in batches(keys):
        ArchivedKey.objects.bulk_create(batch, ignore_conflicts=True)


def _mark_keys_deleted(messages: Iterable[Message]) -> None:
    for message in messages:
        if message.client_message_id and message.deleted_at:
            ArchivedKey.objects.filter(pk=_key_id(message)).update(deleted_at=message.deleted_at)


def _key_id(message: Message) -> UUID:
    assert message.client_message_id is not None
    return key_id((message.room_id, message.sender_id, message.client_message_id))


def _move_first(room: Room, first_seq: int) -> None:
    if not Room.objects.filter(pk=room.pk, first_seq=room.first_seq).update(first_seq=first_seq):
        raise Busy(f"another run moved the first seq of room {room.pk} meanwhile")
    room.first_seq = first_seq
