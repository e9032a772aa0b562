"""The manifest of a room's archive: which file has which messages, with their checksums."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import msgspec

FORMAT = 1


class ArchiveError(Exception):
    """The work on a room's archive cannot go on. Nothing is lost, and other rooms are not concerned."""


class Damaged(ArchiveError):
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

    def overlaps(self, other: "Chunk") -> bool:
        return self.first_seq <= other.last_seq and other.first_seq <= self.last_seq


def missing_ranges(chunks: Iterable[Chunk], *, before: int) -> Iterator[tuple[int, int]]:
    """The seqs, as (first, last), that none of the chunks has among those before the seq `before`.

    The chunks are in the order of their first seqs. They may overlap: parts of an archive may be in several places.
    """
    reached = 0
    for chunk in chunks:
        first_seq = min(chunk.first_seq, before)
        if first_seq > reached + 1:
            yield reached + 1, first_seq - 1
        reached = max(reached, chunk.last_seq, first_seq - 1)
    if before > reached + 1:
        yield reached + 1, before - 1


class Manifest(msgspec.Struct):
    """The chunks are in the order of their seqs. They may have gaps between them, and never overlap."""

    room_id: UUID
    chunks: list[Chunk] = msgspec.field(default_factory=list)
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path, room_id: UUID) -> "Manifest":
        """Read and check the manifest of this room. Raises Damaged, also for that of another room."""
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=cls)
        except (msgspec.DecodeError, OSError) as error:
            raise Damaged(f"{path} is damaged: {error}") from error
        if manifest.format != FORMAT:
            raise Damaged(f"{path} has format {manifest.format}; this program reads {FORMAT}.")
        if manifest.room_id != room_id:
            raise Damaged(f"{path} is the manifest of another room, {manifest.room_id}.")
        last = 0
        for chunk in manifest.chunks:
            # A name with a slash would lead out of the folder.
            if not last < chunk.first_seq <= chunk.last_seq or Path(chunk.file).name != chunk.file:
                raise Damaged(f"{path} is damaged: {chunk.file} cannot be there.")
            last = chunk.last_seq
        return manifest

    def encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1)
