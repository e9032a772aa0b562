"""Copies a MongoDB database with pymongo into a directory of gzip BSON files; mongodump is not needed.

Each `<collection>.bson.gz` has the format of `mongodump --gzip`, so mongorestore can read it. The copy has every
message that was acknowledged before it began.

MongoDB has no common snapshot of all collections. So each room's log is cut at one head, and the order of reading
keeps the copy consistent: the ids of the rooms, the members (their watermarks are at or below the heads read next),
the heads, the messages up to the heads, and the users last, so that all users who are referred to are in the copy.
"""

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import bson
from bson import json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from django.db import connection
from pymongo.database import Database

from accounts.models import User
from messaging.log.heads import read_heads
from messaging.models import Message
from moderation.models import AuditEntry
from rooms.models import Membership, Room

from .errors import BackupError

FORMAT = 1
PAGE = 500
INSERT_DOCUMENTS = 1000
ROOMS, MEMBERS, MESSAGES, AUDIT, USERS = (
    model._meta.db_table for model in (Room, Membership, Message, AuditEntry, User)
)


def backup(path: Path) -> str:
    """Write the collections into the new directory `path`, with a manifest of counts, SHA-256 and indexes."""
    database = _database()
    path.mkdir(parents=True)
    room_ids = set(Room.objects.values_list("pk", flat=True))
    entries = {}

    def write(name: str, documents: Iterable[bytes]) -> None:
        entries[name] = {**_write(path / f"{name}.bson.gz", documents), "indexes": _indexes(database, name)}

    write(MEMBERS, _raw(database, MEMBERS, lambda one: one["room_id"] in room_ids))
    heads, firsts = _cut(room_ids)
    last_entry = AuditEntry.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    write(ROOMS, _rooms(database, heads))
    write(MESSAGES, _raw(database, MESSAGES, lambda one: one["seq"] <= heads.get(one["room_id"], 0)))
    write(AUDIT, _raw(database, AUDIT, lambda one: one["seq"] <= last_entry))
    names = [name for name in database.list_collection_names() if not name.startswith("system.")]
    for name in sorted(set(names) - entries.keys() - {USERS}):
        write(name, _raw(database, name))
    write(USERS, _raw(database, USERS))
    if _cut(room_ids)[1] != firsts:
        raise BackupError(
            f"Messages were archived or restored meanwhile. Remove {path} and run the command again."
        )
    manifest = {"format": FORMAT, "collections": entries}
    # Last, since a copy without a manifest is incomplete.
    (path / "manifest.json").write_text(json_util.dumps(manifest, indent=1))
    return _summary(entries)


def restore(path: Path) -> str:
    """Verify all files, and then replace the collections of the database by those of the copy."""
    try:
        manifest = json_util.loads((path / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} is not a complete copy: {error}") from error
    if manifest["format"] != FORMAT:
        raise BackupError(f"{path} has format {manifest['format']}; this program reads {FORMAT}.")
    entries = manifest["collections"]
    for name, entry in entries.items():
        _verify(path / f"{name}.bson.gz", entry)
    database = _database()
    # `migrate` may have created collections in the empty database.
    for name in database.list_collection_names():
        if not name.startswith("system."):
            database.drop_collection(name)
    for name, entry in entries.items():
        if name not in database.list_collection_names():
            database.create_collection(name)
        collection = database[name].with_options(codec_options=_codec())
        documents = _read(path / f"{name}.bson.gz")
        while page := list(islice(documents, INSERT_DOCUMENTS)):
            collection.insert_many(page)
        for index in entry["indexes"]:
            keys = [tuple(pair) for pair in index.pop("key")]
            collection.create_index(keys, **index)
    return _summary(entries)


def _database() -> Database[Any]:
    connection.ensure_connection()
    database: Database[Any] = connection.connection
    return database


def _codec() -> CodecOptions[RawBSONDocument]:
    return CodecOptions(document_class=RawBSONDocument, uuid_representation=4)


def _cut(room_ids: set[UUID]) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """The head and the first seq of each room's log."""
    heads: dict[UUID, int] = {}
    firsts: dict[UUID, int] = {}
    ids = list(room_ids)
    for start in range(0, len(ids), PAGE):
        rooms = list(Room.objects.filter(pk__in=ids[start : start + PAGE]))
        heads |= read_heads(rooms)
        firsts |= {room.pk: room.first_seq for room in rooms}
    return heads, firsts


def _rooms(database: Database[Any], heads: dict[UUID, int]) -> Iterator[bytes]:
    """The rooms, with the cached heads that belong to the cut."""
    for room in database[ROOMS].find():
        if room["_id"] in heads:
            if room["last_seq"] != heads[room["_id"]]:
                room |= {"last_seq": bson.Int64(heads[room["_id"]]), "last_message_id": None}
            yield bson.encode(room, codec_options=database.codec_options)


def _raw(database: Database[Any], name: str, wanted: Any = None) -> Iterator[bytes]:
    for document in database[name].with_options(codec_options=_codec()).find():
        if wanted is None or wanted(document):
            yield bytes(document.raw)


def _indexes(database: Database[Any], name: str) -> list[dict[str, Any]]:
    kept = ("unique", "sparse", "partialFilterExpression", "expireAfterSeconds", "collation", "weights",
            "default_language", "language_override")  # fmt: skip
    found = database[name].index_information()
    return [
        {"name": index, "key": _keys(spec), **{option: spec[option] for option in kept if option in spec}}
        for index, spec in found.items()
        if index != "_id_"
    ]


def _keys(spec: dict[str, Any]) -> list[tuple[str, Any]]:
    """The keys as an index is created with: the server lists those of a text index under internal names."""
    keys: list[tuple[str, Any]] = []
    for field, direction in spec["key"]:
        if field == "_fts":
            keys += [(name, "text") for name in spec["weights"]]
        elif field != "_ftsx":
            keys.append((field, direction))
    return keys


def _write(path: Path, documents: Iterable[bytes]) -> dict[str, Any]:
    count = 0
    with gzip.open(path, "wb", compresslevel=3) as file:
        for document in documents:
            file.write(document)
            count += 1
    return {"documents": count, "sha256": _digest(path)}


def _read(path: Path) -> Iterator[RawBSONDocument]:
    with gzip.open(path, "rb") as file:
        stream: Any = file
        yield from bson.decode_file_iter(stream, codec_options=_codec())


def _verify(path: Path, entry: dict[str, Any]) -> None:
    try:
        digest = _digest(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error}") from error
    if digest != entry["sha256"]:
        raise BackupError(f"{path} is damaged: its SHA-256 differs from the manifest.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _summary(entries: dict[str, Any]) -> str:
    return f"{sum(entry['documents'] for entry in entries.values())} documents of {len(entries)} collections"
