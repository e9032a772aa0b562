"""Copies a MongoDB database with pymongo into a directory of gzip BSON files; mongodump is not needed.

Each `<collection>.bson.gz` has the format of `mongodump --gzip`, so mongorestore can read it. The copy has every
message that was acknowledged before it began.

MongoDB has no common snapshot of all collections. So each room's log is cut at one head, and the order of reading
keeps the copy consistent: the ids of the rooms, the members (their watermarks are at or below the heads read next),
the heads, the messages up to the heads, and the users last, so that all users who are referred to are in the copy.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import bson
from django.db import connection
from pymongo.database import Database

from accounts.models import User
from messaging.log.heads import LogEnd, read_ends
from messaging.models import Message
from moderation.models import AuditEntry
from rooms.models import Membership, Room

from .contents import MIGRATIONS, require_chat, require_known
from .errors import BackupError
from .mongodb_files import (
    CODEC,
    indexes_of,
    read_documents,
    read_manifest,
    verify,
    write_documents,
    write_manifest,
)
from .new_path import whole
from .restore_lease import LEASE, RestoreLease, explained_mongodb, require_finished

PAGE = 500
INSERT_DOCUMENTS = 1000
ROOMS, MEMBERS, MESSAGES, AUDIT, USERS = (
    model._meta.db_table for model in (Room, Membership, Message, AuditEntry, User)
)


def backup(path: Path) -> str:
    """Write the collections into the new directory `path`, with a manifest of counts, SHA-256 and indexes."""
    with explained_mongodb():
        database = _database()
        require_finished(database)
        require_chat(Path(database.name), database.list_collection_names())
        with whole(path, folder=True) as part:
            entries = _copy(database, part)
            if path.exists():
                raise BackupError(f"{path} was made meanwhile by another run.")
    return _summary(entries)


def _copy(database: Database[Any], folder: Path) -> dict[str, Any]:
    room_ids = set(Room.objects.values_list("pk", flat=True))
    entries: dict[str, Any] = {}

    def write(name: str, documents: Iterable[bytes]) -> None:
        entries[name] = {**write_documents(folder, name, documents), "indexes": indexes_of(database, name)}

    write(MEMBERS, _raw(database, MEMBERS, lambda one: one["room_id"] in room_ids))
    ends, firsts = _cut(room_ids)
    last_seqs = {room_id: end.seq for room_id, end in ends.items()}
    last_entry = AuditEntry.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    write(ROOMS, _rooms(database, ends))
    write(MESSAGES, _raw(database, MESSAGES, lambda one: one["seq"] <= last_seqs.get(one["room_id"], 0)))
    write(AUDIT, _raw(database, AUDIT, lambda one: one["seq"] <= last_entry))
    names = [name for name in database.list_collection_names() if not name.startswith("system.")]
    for name in sorted(set(names) - entries.keys() - {USERS, LEASE}):
        write(name, _raw(database, name))
    write(USERS, _raw(database, USERS))
    if _cut(room_ids)[1] != firsts:
        raise BackupError("Messages were archived or restored meanwhile. Run the command again.")
    # Last, since a copy without a manifest is incomplete.
    write_manifest(folder, entries)
    return entries


def restore(path: Path) -> str:
    """Verify all files, and then replace the collections of the database by those of the copy.

    The migrations come last, so that a database that was left half restored looks like one that is not migrated;
    and until then the lease allows to restore again.
    """
    entries = read_manifest(path)
    for name, entry in entries.items():
        verify(path, name, entry)
    require_chat(path, entries)
    require_known(path, [(one["app"], one["name"]) for one in read_documents(path, MIGRATIONS)])
    with explained_mongodb():
        database = _database()
        with RestoreLease(database) as lease:
            # The one of the migrations is dropped first.
            names = sorted(database.list_collection_names(), key=lambda name: name != MIGRATIONS)
            for name in names:
                if not name.startswith("system.") and name != LEASE:
                    database.drop_collection(name)
            for name in sorted(entries, key=lambda name: name == MIGRATIONS):
                _load(database, path, name, entries[name], lease)
    return _summary(entries)


def _load(database: Database[Any], path: Path, name: str, entry: Any, lease: RestoreLease) -> None:
    lease.renew()
    if name not in database.list_collection_names():
        database.create_collection(name)
    collection = database[name].with_options(codec_options=CODEC)
    documents = read_documents(path, name)
    while page := list(islice(documents, INSERT_DOCUMENTS)):
        collection.insert_many(page)
        lease.renew()
    for index in entry["indexes"]:
        keys = [tuple(pair) for pair in index.pop("key")]
        collection.create_index(keys, **index)


def _database() -> Database[Any]:
    connection.ensure_connection()
    database: Database[Any] = connection.connection
    return database


def _cut(room_ids: set[UUID]) -> tuple[dict[UUID, LogEnd], dict[UUID, int]]:
    """The end and the first seq of each room's log."""
    ends: dict[UUID, LogEnd] = {}
    firsts: dict[UUID, int] = {}
    ids = list(room_ids)
    for start in range(0, len(ids), PAGE):
        rooms = list(Room.objects.filter(pk__in=ids[start : start + PAGE]))
        ends |= read_ends(rooms)
        firsts |= {room.pk: room.first_seq for room in rooms}
    return ends, firsts


def _rooms(database: Database[Any], ends: dict[UUID, LogEnd]) -> Iterator[bytes]:
    """The rooms, with the cached heads that belong to the cut. No message up to it is later than the activity."""
    for room in database[ROOMS].find():
        if end := ends.get(room["_id"]):
            if room["last_seq"] != end.seq:
                room |= {"last_seq": bson.Int64(end.seq), "last_message_id": None}
                room["last_activity_at"] = max(room["last_activity_at"], end.at)
            yield bson.encode(room, codec_options=database.codec_options)


def _raw(database: Database[Any], name: str, wanted: Any = None) -> Iterator[bytes]:
    for document in database[name].with_options(codec_options=CODEC).find():
        if wanted is None or wanted(document):
            yield bytes(document.raw)


def _summary(entries: dict[str, Any]) -> str:
    return f"{sum(entry['documents'] for entry in entries.values())} documents of {len(entries)} collections"
