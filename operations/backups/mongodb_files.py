"""The files of a copy of MongoDB: one `<collection>.bson.gz` for each collection, and a manifest."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bson
from bson import json_util
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from foundation.durable_files import write_file

from .errors import BackupError, explained

FORMAT = 1
MANIFEST = "manifest.json"
CODEC = CodecOptions(document_class=RawBSONDocument, uuid_representation=4)


def write_documents(folder: Path, name: str, documents: Iterable[bytes]) -> dict[str, Any]:
    """Write the file of a collection, for this user only. Returns its entry of the manifest, without indexes."""
    path, count = _path(folder, name), 0
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "r+b") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3) as file:
            for document in documents:
                file.write(document)
                count += 1
        raw.flush()
        os.fsync(raw.fileno())
        raw.seek(0)
        return {"documents": count, "sha256": hashlib.file_digest(raw, "sha256").hexdigest()}


def write_manifest(folder: Path, entries: dict[str, Any]) -> None:
    text = json_util.dumps({"format": FORMAT, "collections": entries}, indent=1)
    write_file(folder / MANIFEST, text.encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The entries by the name of the collection. Raises BackupError."""
    if not folder.is_dir():
        raise BackupError(f"{folder} is a file; a copy of MongoDB is a directory.")
    path = folder / MANIFEST
    try:
        manifest = json_util.loads(path.read_text())
        if manifest["format"] != FORMAT:
            raise BackupError(f"{folder} has format {manifest['format']}; this program reads {FORMAT}.")
        entries: dict[str, Any] = dict(manifest["collections"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BackupError(f"{folder} is not a complete copy: {error}") from error
    return entries


def verify(folder: Path, name: str, entry: dict[str, Any]) -> None:
    """Raise BackupError unless the file of the collection is the one that was written."""
    path = _path(folder, name)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error}") from error
    if digest != entry["sha256"]:
        raise BackupError(f"{path} is damaged: its SHA-256 differs from the manifest.")


def read_documents(folder: Path, name: str) -> Iterator[RawBSONDocument]:
    path = _path(folder, name)
    try:
        with explained(path), gzip.open(path, "rb") as file:
            stream: Any = file
            yield from bson.decode_file_iter(stream, codec_options=CODEC)
    except (EOFError, zlib.error, BSONError) as error:
        raise BackupError(f"{path} is damaged: {error}") from error


def _path(folder: Path, name: str) -> Path:
    # The names come from a manifest, and must not lead out of the folder.
    return folder / f"{Path(name).name}.bson.gz"


def indexes_of(database: Database[Any], name: str) -> list[dict[str, Any]]:
    """The indexes of a collection but that of its ids, in the form in which they are created."""
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
