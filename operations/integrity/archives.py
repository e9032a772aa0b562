"""Rules of the archive: what the database no longer has is there."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from messaging.archive import Archive
from messaging.archive_manifest import Chunk, Damaged, missing_ranges
from messaging.drafts import key_id
from messaging.models import ArchivedKey
from rooms.models import Room

from .logs import Log
from .rules import Options, Violation, rule

ARCHIVE_COVERS = rule("archive_covers", "The archive has every message before a room's `first_seq`.")
ARCHIVE_ROWS = rule(
    "archive_rows",
    "Rows before `first_seq` are in the archive too, which says that they are still to be removed.",
)
ARCHIVE_FILE = rule(
    "archive_file",
    "Each file of the archive is there with its size; with `--checksums` also: it is unchanged, and has the "
    "messages that its manifest says.",
)
ARCHIVE_FOLDER = rule("archive_folder", "Each folder of the archive is that of a room of the database.")
ARCHIVE_KEY = rule(
    "archive_key",
    "With `--checksums`: each clientMessageId of an archived message has its key.",
    repair="Makes the key from the archive.",
)


def check_archive(room: Room, log: Log, options: Options) -> Iterator[Violation]:
    """`room` and its log were read before: the archive has messages before `first_seq` moves beyond them."""
    below = log.lowest is not None and log.lowest < room.first_seq
    if not options.archives or log.head < room.first_seq or not (room.first_seq > 1 or below):
        # A first_seq beyond the log is named by its own rule.
        return
    chunks = []
    for archive in options.archives:
        try:
            chunks += [(archive, chunk) for chunk in archive.manifest(room.pk).chunks]
        except Damaged as error:
            yield ARCHIVE_FILE.broken(str(error))
            return
    chunks.sort(key=lambda one: one[1].first_seq)
    yield from _check_cover(room, [chunk for _, chunk in chunks], options)
    if below:
        yield from _check_rows(room, log, [chunk for _, chunk in chunks])
    for archive, chunk in chunks:
        yield from _check_chunk(archive, room.pk, chunk, options)


def _check_cover(room: Room, chunks: list[Chunk], options: Options) -> Iterator[Violation]:
    places = ", ".join(map(str, options.archive_dirs))
    for first, last in missing_ranges(chunks, before=room.first_seq):
        yield ARCHIVE_COVERS.broken(f"room {room.pk}: {places} does not have messages {first} to {last}")


def _check_rows(room: Room, log: Log, chunks: list[Chunk]) -> Iterator[Violation]:
    for chunk in chunks:
        if chunk.removed and log.lowest is not None and log.lowest <= chunk.last_seq < room.first_seq:
            yield ARCHIVE_ROWS.broken(
                f"room {room.pk}: the database still has messages from {log.lowest}, and"
                f" {chunk.file} calls them removed"
            )
            return


def _check_chunk(archive: Archive, room_id: UUID, chunk: Chunk, options: Options) -> Iterator[Violation]:
    if not options.checksums:
        path = archive.directory / str(room_id) / chunk.file
        size = path.stat().st_size if path.is_file() else None
        if size != chunk.size_bytes:
            found = "is missing" if size is None else f"has {size} bytes, and not {chunk.size_bytes}"
            yield ARCHIVE_FILE.broken(f"{path} {found}")
        return
    try:
        lines = archive.read(room_id, chunk)
    except Damaged as error:
        yield ARCHIVE_FILE.broken(str(error))
        return
    if chunk.removed:
        yield from _check_keys(room_id, lines, options)


def _check_keys(room_id: UUID, lines: list[bytes], options: Options) -> Iterator[Violation]:
    """The keys of messages that the database no longer has."""
    wanted = {}
    for data in map(msgspec.json.decode, lines):
        if data["client_message_id"]:
            key = (room_id, UUID(data["sender_id"]), data["client_message_id"])
            wanted[key_id(key)] = data
    for pk in wanted.keys() - ArchivedKey.objects.in_bulk(list(wanted)).keys():
        data = wanted[pk]
        if options.repair:
            _make_key(pk, data)
        yield ARCHIVE_KEY.broken(f"room {room_id}: message {data['seq']} has no key", repaired=options.repair)


def _make_key(pk: UUID, data: dict[str, Any]) -> None:
    names = {"message_id": "id", "seq": "seq", "fingerprint": "fingerprint"}
    names |= {"created_at": "created_at", "deleted_at": "deleted_at"}
    fields = {field.attname: field for field in ArchivedKey._meta.concrete_fields}
    columns = {column: fields[column].to_python(data[name]) for column, name in names.items()}
    ArchivedKey.objects.bulk_create([ArchivedKey(pk=pk, **columns)], ignore_conflicts=True)


def check_folders(options: Options) -> Iterator[Violation]:
    """Folders of rooms that the database does not have; it may be an older copy."""
    for archive in options.archives:
        for name in archive.folders():
            try:
                known = Room.objects.filter(pk=UUID(name)).exists()
            except ValueError:
                known = False
            if not known:
                yield ARCHIVE_FOLDER.broken(f"{archive.directory}/{name}: is of no room of the database")
