"""The lines of an archive: one JSON object for a message with its earlier versions."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from django.core.exceptions import ValidationError
from django.db import models

from foundation.folded_field import FoldedField

from .archive_manifest import ArchiveError
from .models import Message, MessageRevision


def encode_line(message: Message, revisions: Iterable[MessageRevision]) -> bytes:
    """A message and its revisions as one line of JSON, without the line break. Equal rows give equal bytes, on
    every database. Raises ArchiveError if the line would be read back as a different row."""
    try:
        line = _encode(message, revisions)
        same = _encode(*decode_line(line)) == line
    except (ArchiveError, TypeError, ValueError, AttributeError) as error:
        # A strange value in the row.
        raise ArchiveError(f"message {message.pk} cannot be archived: {error!r}") from error
    if not same:
        raise ArchiveError(f"message {message.pk} cannot be archived: it would read back differently.")
    return line


def decode_line(line: bytes) -> tuple[Message, list[MessageRevision]]:
    """The unsaved rows of a line: a message and its revisions. Raises ArchiveError."""
    try:
        data = msgspec.json.decode(line)
        revisions = data.pop("revisions")
        return _row(Message, data), [_row(MessageRevision, one) for one in revisions]
    except (LookupError, TypeError, ValueError, AttributeError, ValidationError) as error:
        # A column that this release does not have, or a value that is none of the column.
        raise ArchiveError(f"a line of the archive cannot be read: {error!r}") from error


def without_change_time(line: bytes) -> dict[str, Any]:
    """The data of a line without `changed_at`, which restored rows get anew."""
    data: dict[str, Any] = msgspec.json.decode(line)
    del data["changed_at"]
    return data


def message_id_of(line: bytes) -> UUID:
    return UUID(msgspec.json.decode(line)["id"])


def belongs_at(line: bytes, room_id: UUID, seq: int) -> bool:
    """Whether this is the line of a message of the room, with this seq."""
    try:
        data = msgspec.json.decode(line)
        return UUID(data["room_id"]) == room_id and data["seq"] == seq and bool(UUID(data["id"]))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError):
        return False


def keeps(line: bytes, former: bytes) -> bool:
    """Whether `line` has all that another line has: the same message in the same or a later version, and each
    version that the other line knows. A line of an earlier release may have fewer columns."""
    new, old = without_change_time(line), without_change_time(former)
    revisions, known = new.pop("revisions"), old.pop("revisions")
    if new["id"] != old["id"] or any(revision not in revisions for revision in known):
        return False
    if new["version"] == old["version"]:
        return all(new.get(name, value) == value for name, value in old.items())
    version = next((one for one in revisions if one["version"] == old["version"]), None)
    return version is not None and (version["content"], version["meta"]) == (old["content"], old["meta"])


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
