"""Rules of the archive: what the database no longer has is there."""

from collections.abc import Iterator
from uuid import UUID

from messaging.archive import Archive
from messaging.archive_keys import id_of_key, keep_keys
from messaging.archive_lines import decode_line
from messaging.archive_manifest import ArchiveError, Chunk, Damaged, missing_ranges
from messaging.models import ArchivedKey, Message
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
        messages = [message for message, _ in map(decode_line, archive.read(room_id, chunk))]
    except ArchiveError as error:
        yield ARCHIVE_FILE.broken(str(error))
        return
    if chunk.removed:
        yield from _check_keys(room_id, messages, options)


def _check_keys(room_id: UUID, messages: list[Message], options: Options) -> Iterator[Violation]:
    """The keys of messages that the database no longer has."""
    wanted = {id_of_key(message): message for message in messages if message.client_message_id}
    for pk in wanted.keys() - ArchivedKey.objects.in_bulk(list(wanted)).keys():
        message = wanted[pk]
        if options.repair:
            keep_keys([message])
        yield ARCHIVE_KEY.broken(f"room {room_id}: message {message.seq} has no key", repaired=options.repair)


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
