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
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from rooms.models import Room

from .archive import Archive, Chunk, Manifest, decode_line, encode_line, message_id_of
from .drafts import key_id
from .models import ArchivedKey, Message, MessageRevision
from .selectors import anchor_seq, room_head

T = TypeVar("T")

CHUNK_MESSAGES = 2000
BATCH = 500


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
        messages = _load(room.pk, room.first_seq, last_seq)
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
        present = _load(room.pk, chunk.first_seq, chunk.last_seq)
        # Again, because an interrupted restore may have deleted them.
        _keep_keys(present)
        late = {message.pk: line for message, line in present.items() if archived.get(message.pk) != line}
        if late:
            # Changed by an edit that was in progress when first_seq moved.
            _mark_keys_deleted(message for message in present if message.pk in late)
            chunk = archive.write(manifest, list((archived | late).values()), chunk.first_seq, chunk.last_seq)
        for batch in _batches(ids):
            _delete(batch)
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
    for batch in _batches(rows[::-1]):
        _insert(batch)
    if list(_load(room.pk, chunk.first_seq, chunk.last_seq).values()) != lines:
        raise Busy(f"messages {chunk.first_seq} to {chunk.last_seq} are not in the database as archived")
    # The rows are back, so the unique index of their clientMessageIds takes over from the keys.
    for keys in _batches([_key_id(message) for message, _ in rows if message.client_message_id]):
        ArchivedKey.objects.filter(pk__in=keys).delete()
    _move_first(room, chunk.first_seq)


def _load(room_id: UUID, first_seq: int, last_seq: int) -> dict[Message, bytes]:
    """The messages in the database, in order, each with the line that an archive would have for it."""
    chunk = Message.objects.filter(room_id=room_id, seq__gte=first_seq, seq__lte=last_seq)
    messages = list(chunk.order_by("seq"))
    revisions: dict[UUID, list[MessageRevision]] = {}
    for ids in _batches([message.pk for message in messages]):
        kept = MessageRevision.objects.filter(message_id__in=ids).order_by("message_id", "version")
        for revision in kept:
            revisions.setdefault(revision.message_id, []).append(revision)
    return {message: encode_line(message, revisions.get(message.pk, ())) for message in messages}


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
    for batch in _batches(keys):
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


def _delete(ids: list[UUID]) -> None:
    """Delete archived messages, given in the order of their seqs, so that the rest has no gap after a kill.

    A kill between the two statements leaves revisions without messages. So revisions are deleted for all ids, even
    for those whose messages are deleted already. The plain QuerySet is needed, because that of revisions refuses
    to delete.
    """
    with transaction.atomic():
        messages: QuerySet[Message] = QuerySet(Message).filter(pk__in=ids)
        messages._raw_delete(messages.db)
        revisions: QuerySet[MessageRevision] = QuerySet(MessageRevision).filter(message_id__in=ids)
        revisions._raw_delete(revisions.db)


def _insert(rows: list[tuple[Message, list[MessageRevision]]]) -> None:
    ids = [message.pk for message, _ in rows]
    present = set(Message.objects.filter(pk__in=ids).values_list("pk", flat=True))
    kept = set(MessageRevision.objects.filter(message_id__in=ids).values_list("pk", flat=True))
    with transaction.atomic():
        Message.objects.bulk_create([message for message, _ in rows if message.pk not in present])
        MessageRevision.objects.bulk_create([one for _, some in rows for one in some if one.pk not in kept])


def _batches(items: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
