"""Archives of messages on disk: gzip files of JSON lines, and a manifest with checksums for each room.

docs/runbook.md shows the format. `retention` decides what is archived and removed.
"""

import fcntl
import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from django.db import models

from foundation.folded_field import FoldedField

from .models import Message, MessageRevision

FORMAT = 1


class Damaged(Exception):
    """A file of the archive is missing, or differs from what was written."""


class Chunk(msgspec.Struct):
    """One file with the messages `first_seq` to `last_seq`. `removed`: the database does not have them any more."""

    file: str
    first_seq: int
    last_seq: int
    size_bytes: int
    sha256: str
    removed: bool = False

    @property
    def count(self) -> int:
        return self.last_seq - self.first_seq + 1


class Manifest(msgspec.Struct):
    room_id: UUID
    chunks: list[Chunk] = msgspec.field(default_factory=list)
    format: int = FORMAT


class Archive:
    """A directory with a folder for each room. Files are replaced by rename: a kill leaves the old or the new."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the archive for one run. Raises BlockingIOError while another run has it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def room_ids(self) -> list[UUID]:
        return [UUID(path.parent.name) for path in sorted(self.directory.glob("*/manifest.json"))]

    def manifest(self, room_id: UUID) -> Manifest:
        path = self._folder(room_id) / "manifest.json"
        if not path.exists():
            return Manifest(room_id)
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except msgspec.DecodeError as error:
            raise Damaged(f"{path} is damaged: {error}") from error
        if manifest.format != FORMAT:
            raise Damaged(f"{path} has format {manifest.format}; this program reads {FORMAT}.")
        return manifest

    def save(self, manifest: Manifest) -> None:
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        _write_whole(self._folder(manifest.room_id) / "manifest.json", data)

    def write(self, manifest: Manifest, lines: list[bytes], first_seq: int, last_seq: int) -> Chunk:
        """Write a chunk, read it back, and save the manifest. It replaces the chunks that overlap with it.

        The file's name contains a digest of its content. So a file that the saved manifest names is never
        overwritten with another content. Raises Damaged if the file reads back differently.
        """
        data = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        digest = hashlib.sha256(data).hexdigest()
        chunk = Chunk(
            file=f"{first_seq:012}-{last_seq:012}.{digest[:12]}.jsonl.gz",
            first_seq=first_seq,
            last_seq=last_seq,
            size_bytes=len(data),
            sha256=digest,
        )
        _write_whole(self._folder(manifest.room_id) / chunk.file, data)
        if self.read(manifest.room_id, chunk) != lines:
            raise Damaged(f"{chunk.file} reads back differently.")
        kept: list[Chunk] = []
        replaced: list[Chunk] = []
        for other in manifest.chunks:
            apart = other.last_seq < first_seq or other.first_seq > last_seq
            (kept if apart else replaced).append(other)
        manifest.chunks = sorted([*kept, chunk], key=lambda one: one.first_seq)
        self.save(manifest)
        for other in replaced:
            if other.file != chunk.file:
                (self._folder(manifest.room_id) / other.file).unlink(missing_ok=True)
        return chunk

    def read(self, room_id: UUID, chunk: Chunk) -> list[bytes]:
        """The lines of a chunk, one for each message. Raises Damaged."""
        path = self._folder(room_id) / chunk.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Damaged(f"{path} cannot be read: {error}") from error
        if hashlib.sha256(data).hexdigest() != chunk.sha256:
            raise Damaged(f"{path} is damaged: its SHA-256 is not the manifest's.")
        lines = gzip.decompress(data).split(b"\n")[:-1]
        if len(lines) != chunk.count:
            raise Damaged(f"{path} has {len(lines)} lines for {chunk.count} messages.")
        return lines

    def _folder(self, room_id: UUID) -> Path:
        return self.directory / str(room_id)


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # The rename has to survive a power cut too.
        os.fsync(folder)
    finally:
        os.close(folder)


def encode_line(message: Message, revisions: Iterable[MessageRevision]) -> bytes:
    """A message and its revisions as one line of JSON, without the line break. Equal rows give equal bytes, on
    every database. Raises Damaged if the line would be read back as a different row."""
    line = _encode(message, revisions)
    if _encode(*decode_line(line)) != line:
        raise Damaged(f"message {message.pk} cannot be archived: it would read back differently.")
    return line


def decode_line(line: bytes) -> tuple[Message, list[MessageRevision]]:
    """The unsaved rows of a line: a message and its revisions."""
    data = msgspec.json.decode(line)
    revisions = data.pop("revisions")
    return _row(Message, data), [_row(MessageRevision, one) for one in revisions]


def without_change_time(line: bytes) -> dict[str, Any]:
    """The data of a line without `changed_at`, which restored rows get anew."""
    data: dict[str, Any] = msgspec.json.decode(line)
    del data["changed_at"]
    return data


def message_id_of(line: bytes) -> UUID:
    return UUID(msgspec.json.decode(line)["id"])


def _encode(message: Message, revisions: Iterable[MessageRevision]) -> bytes:
    data = {**_columns(message), "revisions": [_columns(revision) for revision in revisions]}
    return msgspec.json.encode(data)


def _columns(row: models.Model) -> dict[str, Any]:
    """Without folded text, which an inserted row gets from its source."""
    fields = [field for field in row._meta.concrete_fields if not isinstance(field, FoldedField)]
    return {field.attname: getattr(row, field.attname) for field in fields}


def _row(model: Any, data: dict[str, Any]) -> Any:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return model(**{name: fields[name].to_python(value) for name, value in data.items()})
