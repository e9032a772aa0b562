"""Runs of retention over many rooms, shared by its commands. An archive has one run at a time."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.core.management.base import CommandError

from foundation import loop
from messaging import retention
from messaging.archive import Archive, Damaged
from rooms.models import Room
from rooms.services.rooms import republish_room

from .progress import Progress

GRACE_SECONDS = 30


def archive_rooms(
    cutoffs: dict[UUID, datetime], directory: Path, *, grace_seconds: float = GRACE_SECONDS
) -> None:
    """Archive the messages of each room that are older than its cutoff.

    All rooms are exported before any row is removed, so that one grace period is enough for all.
    """
    archive = Archive(directory)

    def run() -> None:
        through = {
            room.pk: retention.archivable_through(room=room, older_than=cutoffs[room.pk])
            for room in _rooms(cutoffs)
        }
        exported = _over_rooms(
            "archived",
            cutoffs,
            size=lambda room: max(0, through[room.pk] - room.first_seq + 1),
            work=lambda room: _with_update(
                room, retention.archive_room(room=room, through=through[room.pk], archive=archive)
            ),
        )
        if exported and grace_seconds:
            print(f"waiting {grace_seconds:g} s for edits in progress", flush=True)
            time.sleep(grace_seconds)
        _over_rooms(
            "removed",
            cutoffs,
            size=lambda room: _count(
                retention.chunks_to_remove(room=room, manifest=archive.manifest(room.pk))
            ),
            work=lambda room: retention.remove_archived(room=room, archive=archive),
        )

    _locked(archive, run)


def restore_rooms(room_ids: list[UUID], directory: Path) -> None:
    """Put the archived messages of these rooms back."""
    archive = Archive(directory)
    _locked(
        archive,
        lambda: _over_rooms(
            "restored",
            room_ids,
            size=lambda room: _count(
                retention.chunks_to_restore(room=room, manifest=archive.manifest(room.pk))
            ),
            work=lambda room: _with_update(room, retention.restore_room(room=room, archive=archive)),
        ),
    )


def _over_rooms(
    phase: str,
    room_ids: Iterable[UUID],
    *,
    size: Callable[[Room], int],
    work: Callable[[Room], Iterator[int]],
) -> int:
    """Run one phase over the rooms that have messages for it; returns the number of messages."""
    sizes = {room.pk: size(room) for room in _rooms(room_ids)}
    progress = Progress(phase, sum(sizes.values()))
    for room in _rooms(room_id for room_id, messages in sizes.items() if messages):
        for count in work(room):
            progress.advance(count, f"room {room.pk}")
    progress.end()
    return progress.count


def _with_update(room: Room, work: Iterator[int]) -> Iterator[int]:
    """Run the work, then publish where the room's log begins, even if the work failed part of the way."""
    try:
        yield from work
    finally:
        loop.call(republish_room(room_id=room.pk))


def _rooms(room_ids: Iterable[UUID]) -> Iterator[Room]:
    for room_id in room_ids:
        room = Room.objects.filter(pk=room_id).first()
        if room is None:
            raise CommandError(f"There is no room {room_id}.")
        yield room


def _count(chunks: list[retention.Chunk]) -> int:
    return sum(chunk.count for chunk in chunks)


def _locked(archive: Archive, run: Callable[[], object]) -> None:
    try:
        with archive.locked():
            run()
    except BlockingIOError:
        raise CommandError(f"Another run is using {archive.directory}.") from None
    except (Damaged, retention.Busy) as error:
        raise CommandError(
            f"Stopped. Nothing was removed that is not verified in the archive: {error}"
        ) from error
