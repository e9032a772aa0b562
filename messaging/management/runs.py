"""Runs of retention over many rooms, shared by its commands. An archive has one run at a time.

A room that cannot be archived or restored is named and skipped; the others go on, and the command fails at its end.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.core.management.base import CommandError

from foundation import loop, times
from foundation.durable_files import memory_filesystem
from foundation.server_clock import read_database_time
from messaging import retention
from messaging.archive import Archive
from rooms.models import Room
from rooms.services.rooms import republish_room

from .arguments import GRACE
from .problems import Problems, operator_errors
from .progress import Progress


def present_time() -> datetime:
    """The time from which ages count: the earlier of this machine's and the database's, so that a fast clock on
    either takes no message too early."""
    with operator_errors():
        return min(times.now(), read_database_time())


def archive_rooms(
    cutoffs: dict[UUID, datetime],
    directory: Path,
    *,
    grace: timedelta = GRACE,
    in_memory: bool = False,
    problems: Problems | None = None,
) -> None:
    """Archive the messages of each room that are older than its cutoff. `problems` has what was skipped before.

    All rooms are exported before any row is removed, so that one grace period is enough for all.
    """
    problems = problems or Problems()
    archive = Archive(directory)
    with operator_errors():
        if cutoffs and not in_memory:
            _require_disk(directory)
        with archive.locked():
            archived = _export(archive, cutoffs, problems)
            removed = _over_rooms(
                "removed",
                cutoffs,
                problems,
                size=lambda room: _count(
                    retention.chunks_to_remove(room=room, manifest=archive.manifest(room.pk))
                ),
                work=lambda room: _noting_aside(
                    archive, problems, retention.remove_archived(room=room, archive=archive)
                ),
                first=lambda: _wait_for_edits(grace),
            )
    problems.raise_if_any(f"{archived} messages were archived and {removed} removed")


def restore_rooms(room_ids: list[UUID] | None, directory: Path) -> None:
    """Put the archived messages of these rooms back, or of all rooms in the archive."""
    problems = Problems()
    archive = Archive(directory)
    with operator_errors():
        wanted = _archived_rooms(archive, room_ids, problems)
        with archive.locked():
            restored = _over_rooms(
                "restored",
                wanted,
                problems,
                size=lambda room: _count(
                    retention.chunks_to_restore(room=room, manifest=archive.manifest(room.pk))
                ),
                work=lambda room: _with_update(room, retention.restore_room(room=room, archive=archive)),
            )
    problems.raise_if_any(f"{restored} messages were restored")


def require_rooms(room_ids: Iterable[UUID]) -> None:
    """Raise CommandError for an id that is no room's, before anything is done."""
    for room_id in room_ids:
        if not Room.objects.filter(pk=room_id).exists():
            raise CommandError(f"There is no room {room_id}. Nothing was done.")


def _require_disk(directory: Path) -> None:
    if kind := memory_filesystem(directory):
        raise CommandError(
            f"{directory} is on {kind}, in memory: the archive would be lost with the machine or the container, and"
            " its messages with it. Give a directory on a disk (ARCHIVE_DIR or --to). Nothing was done."
        )


def _archived_rooms(archive: Archive, room_ids: list[UUID] | None, problems: Problems) -> list[UUID]:
    """The rooms to restore. Raises CommandError for what is no archive, or has none of a room."""
    if not archive.directory.is_dir():
        raise CommandError(f"{archive.directory} is not a directory. Nothing was done.")
    folders = archive.folders()
    if not folders:
        raise CommandError(
            f"{archive.directory} is no archive: it has no files of messages. Nothing was done."
        )
    if room_ids is not None:
        require_rooms(room_ids)
        for room_id in room_ids:
            if str(room_id) not in folders:
                raise CommandError(f"{archive.directory} has no archive of room {room_id}. Nothing was done.")
        return list(dict.fromkeys(room_ids))
    found = []
    for name in folders:
        try:
            found.append(UUID(name))
        except ValueError:
            problems.skip(name, "the folder has no room's name")
    return found


def _export(archive: Archive, cutoffs: dict[UUID, datetime], problems: Problems) -> int:
    through: dict[UUID, int] = {}

    def size(room: Room) -> int:
        through[room.pk] = retention.archivable_through(room=room, older_than=cutoffs[room.pk])
        return max(0, through[room.pk] - room.first_seq + 1)

    def work(room: Room) -> Iterator[int]:
        exporting = retention.archive_room(room=room, through=through[room.pk], archive=archive)
        return _with_update(room, _noting_aside(archive, problems, exporting))

    return _over_rooms("archived", cutoffs, problems, size=size, work=work)


def _wait_for_edits(grace: timedelta) -> None:
    if grace:
        print(f"waiting {grace.total_seconds():g} s for edits in progress", flush=True)
        time.sleep(grace.total_seconds())


def _over_rooms(
    phase: str,
    room_ids: Iterable[UUID],
    problems: Problems,
    *,
    size: Callable[[Room], int],
    work: Callable[[Room], Iterator[int]],
    first: Callable[[], None] = lambda: None,
) -> int:
    """Run one phase over the rooms that have messages for it; returns the number of messages.

    `first` is called before the work, if there is any.
    """
    sizes = {}
    for room_id in room_ids:
        with problems.of(room_id):
            sizes[room_id] = size(_room(room_id))
    if any(sizes.values()):
        first()
    progress = Progress(phase, sum(sizes.values()))
    for room_id in (room_id for room_id, messages in sizes.items() if messages):
        with problems.of(room_id):
            for count in work(_room(room_id)):
                progress.advance(count, f"room {room_id}")
    progress.end()
    return progress.count


def _with_update(room: Room, work: Iterator[int]) -> Iterator[int]:
    """Run the work, then publish where the room's log begins, even if the work failed part of the way."""
    try:
        yield from work
    finally:
        loop.call(republish_room(room_id=room.pk))


def _noting_aside(archive: Archive, problems: Problems, work: Iterator[int]) -> Iterator[int]:
    try:
        yield from work
    finally:
        while archive.set_aside:
            problems.note_aside(archive.set_aside.pop())


def _room(room_id: UUID) -> Room:
    room = Room.objects.filter(pk=room_id).first()
    if room is None:
        raise retention.ArchiveError("there is no such room in the database")
    return room


def _count(chunks: list[retention.Chunk]) -> int:
    return sum(chunk.count for chunk in chunks)
