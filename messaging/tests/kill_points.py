"""Kills archiving and restoring runs with SIGKILL before each of their statements and changes of files.

After each kill the next run has to complete the work, and all rows are compared byte for byte. Also after an older
copy of the database was restored and went another way: then no message may be missing from the archive.
Usage: `python -m messaging.tests.kill_points ROOM DIR`, with the environment of a server that has the room. Every
run is a fork of its own, so that none inherits a database connection. Prints the last point reached of each kind.
"""

import argparse
import gzip
import os
import pickle
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.db import connection

CHUNK_MESSAGES = 5
CHANGES_OF_FILES = {"os.rename", "os.remove", "os.mkdir"}


class Copy:
    """The rows of a room at one moment. `load` makes the database an older one, as restoring a copy does."""

    def __init__(self, room: Any) -> None:
        from messaging.models import ArchivedKey, Message, MessageRevision

        self.room = type(room).objects.get(pk=room.pk)
        self.messages = list(Message.objects.filter(room=room).order_by("seq"))
        ids = [message.pk for message in self.messages]
        self.revisions = list(MessageRevision.objects.filter(message_id__in=ids))
        self.keys = list(ArchivedKey.objects.filter(message_id__in=ids))

    def load(self) -> None:
        from django.db.models import QuerySet

        from messaging.models import ArchivedKey, Message, MessageRevision

        present = list(Message.objects.filter(room_id=self.room.pk).values_list("pk", flat=True))
        ids = list({*present, *(message.pk for message in self.messages)})
        formers: list[Any] = [
            QuerySet(MessageRevision).filter(message_id__in=ids),
            QuerySet(Message).filter(pk__in=ids),
            QuerySet(ArchivedKey).filter(message_id__in=ids),
        ]
        for former in formers:
            former._raw_delete(former.db)
        Message.objects.bulk_create(self.messages)
        MessageRevision.objects.bulk_create(self.revisions)
        ArchivedKey.objects.bulk_create(self.keys)
        self.room.save()

    def go_another_way(self, after_seq: int) -> None:
        """Replace the messages after this seq by others."""
        from foundation.ids import uuid7

        others = [message for message in self.messages if message.seq > after_seq]
        for message in others:
            message.pk, message.content, message.client_message_id = uuid7(), "another", None
        self.room.last_message_id = self.messages[-1].pk


def dump(room_id: str) -> bytes:
    from messaging.models import ArchivedKey, Message, MessageRevision
    from rooms.models import Room

    # A restore gives changes a new time.
    columns = [field.attname for field in Message._meta.concrete_fields if field.attname != "changed_at"]
    messages = list(Message.objects.filter(room_id=room_id).order_by("seq").values_list(*columns))
    ids = [row[0] for row in messages]
    revisions = MessageRevision.objects.filter(message_id__in=ids).order_by("message_id", "version")
    keys = ArchivedKey.objects.order_by("message_id").values_list()
    room = Room.objects.filter(pk=room_id).values_list("first_seq", "last_seq")
    return repr([messages, list(revisions.values_list()), list(keys), list(room)]).encode()


def archive(room_id: str, directory: Path) -> None:
    from foundation import times
    from messaging import retention
    from messaging.archive import Archive
    from rooms.models import Room

    room, to = Room.objects.get(pk=room_id), Archive(directory)
    with to.locked():
        through = retention.archivable_through(room=room, older_than=times.now() + timedelta(days=1))
        list(retention.archive_room(room=room, through=through, archive=to, chunk_messages=CHUNK_MESSAGES))
        list(retention.remove_archived(room=room, archive=to))


def restore(room_id: str, directory: Path) -> None:
    from messaging import retention
    from messaging.archive import Archive
    from rooms.models import Room

    source = Archive(directory)
    with source.locked():
        list(retention.restore_room(room=Room.objects.get(pk=room_id), archive=source))


def die_at(point: int) -> None:
    """Kill this process before its statement or change of a file number `point`, counted from 1."""
    left = point

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        count()
        return execute(sql, params, many, context)

    connection.execute_wrappers.append(statement)
    sys.addaudithook(lambda event, args: count() if event in CHANGES_OF_FILES else None)


def fork(work: Callable[[], bytes | None]) -> tuple[bool, bytes]:
    """Run the work in a fork. Returns whether it was killed, and its result; an exception fails the whole run."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as out:
                out.write(work() or b"")
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as result:
        answer = result.read()
    status = os.waitpid(pid, 0)[1]
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0, "a run failed; its traceback is above"
    return killed, answer


def run_killed_at_each_point(room_id: str, directory: Path, every: int) -> dict[str, int]:
    before = fork(lambda: dump(room_id))[1]

    def archive_and_dump(folder: Path) -> bytes:
        archive(room_id, folder)
        return dump(room_id)

    archived = fork(lambda: archive_and_dump(directory / "archive-1"))[1]
    assert archived != before

    def go_on(folder: Path, next_folder: Path | None) -> None:
        """Archiving always leads to the archived rows, and restoring to the original ones."""
        assert archive_and_dump(folder) == archived
        restore(room_id, folder)
        assert dump(room_id) == before
        if next_folder is not None:
            archive(room_id, next_folder)

    fork(lambda: go_on(directory / "archive-1", None))
    points = {}
    for name, work in (("archive", archive), ("restore", restore)):
        point, killed = 1, True
        if work is restore:
            fork(lambda: archive_and_dump(directory / "restore-1"))
        while killed:
            folder, next_folder = directory / f"{name}-{point}", directory / f"{name}-{point + every}"
            killed, _ = fork(
                lambda work=work, folder=folder, point=point: (die_at(point), work(room_id, folder))[1]
            )
            following = next_folder if work is restore and killed else None
            fork(lambda folder=folder, following=following: go_on(folder, following))
            point += every
        points[name] = point - 2 * every
    points["replace"] = replace_killed_at_each_point(room_id, directory, every)
    return points


def lines_in(folder: Path) -> set[bytes]:
    found = [gzip.decompress(path.read_bytes()) for path in folder.rglob("*.jsonl.gz")]
    return {line for data in found for line in data.splitlines()}


def replace_killed_at_each_point(room_id: str, directory: Path, every: int) -> int:
    """Archive an older copy, which went another way, into the archive of the present database."""
    kept = directory / "copy"

    def save() -> None:
        from rooms.models import Room

        kept.write_bytes(pickle.dumps(Copy(Room.objects.get(pk=room_id))))

    def begin(folder: Path) -> None:
        archive(room_id, folder)
        copy = pickle.loads(kept.read_bytes())
        copy.go_another_way(7)
        copy.load()

    def end(folder: Path, before: set[bytes]) -> None:
        from messaging.archive import Archive
        from messaging.models import Message
        from messaging.tests.archive_problems import archive_problems
        from rooms.models import Room

        archive(room_id, folder)
        room = Room.objects.get(pk=room_id)
        assert list(Message.objects.filter(room=room).values_list("seq", flat=True)) == [room.last_seq]
        assert list(archive_problems(room=room, archive=Archive(folder))) == []
        # Edits of the copy differ in changed_at only, and their lines are replaced.
        missing = before - lines_in(folder)
        assert not missing, missing
        pickle.loads(kept.read_bytes()).load()

    fork(save)
    point, killed = 1, True
    while killed:
        folder = directory / f"replace-{point}"
        fork(lambda folder=folder: begin(folder))
        before = lines_in(folder)
        killed, _ = fork(lambda folder=folder, point=point: (die_at(point), archive(room_id, folder))[1])
        fork(lambda folder=folder, before=before: end(folder, before))
        point += every
    return point - 2 * every


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
    django.setup()
    parser = argparse.ArgumentParser()
    parser.add_argument("room")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take only every n-th point")
    given = parser.parse_args()
    print(run_killed_at_each_point(given.room, given.directory, given.every))
