"""Archives of messages on disk: a folder for each room, with gzip files of JSON lines and a manifest.

docs/runbook.md shows the format. `retention` decides what is archived and removed. A file is only ever unlinked
when the files that replace it keep each of its messages; else it is moved into the folder `aside` beside it.
"""

import fcntl
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from foundation.durable_files import make_folder, move_file, sync_folder, write_file

from .archive_lines import belongs_at, keeps, message_id_of
from .archive_manifest import Chunk, Damaged, Manifest

# The seqs, and a digest of the content. So a file that a manifest names is never overwritten with another content.
FILE_NAME = re.compile(r"\d{12,}-\d{12,}\.[0-9a-f]{12}\.jsonl\.gz", re.ASCII)


class Archive:
    """A directory with a folder for each room. `set_aside`: the files that this object has moved aside."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.set_aside: list[Path] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the archive for one run. Raises BlockingIOError while another run has it."""
        make_folder(self.directory)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def folders(self) -> list[str]:
        """The names of the folders with parts of an archive: ids of rooms, unless somebody put others there."""
        patterns = ("*/manifest.json", "*/*.jsonl.gz")
        return sorted({path.parent.name for each in patterns for path in self.directory.glob(each)})

    def manifest(self, room_id: UUID) -> Manifest:
        """The room's manifest, or a new one for a room without archive. Raises Damaged."""
        folder = self._folder(room_id)
        path = folder / "manifest.json"
        if path.exists():
            return Manifest.read(path, room_id)
        if any(_chunk_files(folder)):
            raise Damaged(f"{path} is missing, and {folder} has files of messages.")
        return Manifest(room_id)

    def save(self, manifest: Manifest) -> None:
        folder = self._folder(manifest.room_id)
        make_folder(folder)
        write_file(folder / "manifest.json", manifest.encoded())

    def write(self, manifest: Manifest, lines: list[bytes], first_seq: int, last_seq: int) -> Chunk:
        """Write a chunk, read it back, and save the manifest. It replaces what other chunks have of these seqs.

        Raises Damaged if a file reads back differently.
        """
        if not manifest.chunks:
            # From now on a missing manifest is a lost one.
            self.save(manifest)
        chunk = self._store(manifest.room_id, lines, first_seq, last_seq)
        chunks = [chunk]
        for other in manifest.chunks:
            chunks += (
                self._around(manifest.room_id, other, chunk, lines) if other.overlaps(chunk) else [other]
            )
        manifest.chunks = sorted(chunks, key=lambda one: one.first_seq)
        self.save(manifest)
        self.clear_replaced(manifest)
        return chunk

    def clear_replaced(self, manifest: Manifest) -> None:
        """Unlink the files that the manifest does not name, where its chunks keep each of their messages; move the
        others aside. Also after a kill before this. Files that no archive has written stay where they are."""
        named = {chunk.file for chunk in manifest.chunks}
        folder = self._folder(manifest.room_id)
        for path in list(_chunk_files(folder)):
            if path.name in named:
                continue
            if self._is_kept(manifest, path):
                path.unlink()
                sync_folder(folder)
            else:
                self.set_aside.append(move_file(path, folder / "aside"))

    def read(self, room_id: UUID, chunk: Chunk) -> list[bytes]:
        """The lines of a chunk, one for each message. Raises Damaged."""
        path = self._folder(room_id) / chunk.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Damaged(f"{path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != chunk.sha256:
            raise Damaged(f"{path} is damaged: its SHA-256 is not the manifest's.")
        lines = _lines(path, data)
        if len(lines) != chunk.count:
            raise Damaged(f"{path} has {len(lines)} lines for {chunk.count} messages.")
        for seq, line in enumerate(lines, chunk.first_seq):
            if not belongs_at(line, room_id, seq):
                raise Damaged(f"{path} does not have message {seq} of the room in its place.")
        return lines

    def _store(self, room_id: UUID, lines: list[bytes], first_seq: int, last_seq: int) -> Chunk:
        data = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        digest = hashlib.sha256(data).hexdigest()
        chunk = Chunk(
            file=f"{first_seq:012}-{last_seq:012}.{digest[:12]}.jsonl.gz",
            first_seq=first_seq,
            last_seq=last_seq,
            size_bytes=len(data),
            sha256=digest,
        )
        write_file(self._folder(room_id) / chunk.file, data)
        if self.read(room_id, chunk) != lines:
            raise Damaged(f"{chunk.file} reads back differently.")
        return chunk

    def _around(self, room_id: UUID, other: Chunk, chunk: Chunk, lines: list[bytes]) -> list[Chunk]:
        """What `other` has before and after the seqs of `chunk`, as chunks of their own.

        Not what comes after, if the two disagree: then `other` is of another log, which went on after a copy of
        the database that was restored since.
        """
        former = self.read(room_id, other)
        shared = range(max(other.first_seq, chunk.first_seq), min(other.last_seq, chunk.last_seq) + 1)
        agree = all(
            message_id_of(former[seq - other.first_seq]) == message_id_of(lines[seq - chunk.first_seq])
            for seq in shared
        )
        parts = []
        for first, last, wanted in (
            (other.first_seq, shared[0] - 1, True),
            (shared[-1] + 1, other.last_seq, agree),
        ):
            if wanted and first <= last:
                rest = former[first - other.first_seq : last + 1 - other.first_seq]
                part = self._store(room_id, rest, first, last)
                part.removed = other.removed
                parts.append(part)
        return parts

    def _is_kept(self, manifest: Manifest, path: Path) -> bool:
        try:
            first_seq, last_seq = map(int, path.name.partition(".")[0].split("-"))
            former = dict(enumerate(_lines(path, path.read_bytes()), first_seq))
            if len(former) != last_seq - first_seq + 1:
                return False
            present: dict[int, bytes] = {}
            for chunk in manifest.chunks:
                if any(chunk.first_seq <= seq <= chunk.last_seq for seq in former):
                    present |= enumerate(self.read(manifest.room_id, chunk), chunk.first_seq)
            return all(seq in present and keeps(present[seq], line) for seq, line in former.items())
        except (Damaged, LookupError, TypeError, ValueError):
            # What cannot be read cannot be compared.
            return False

    def _folder(self, room_id: UUID) -> Path:
        return self.directory / str(room_id)


def _chunk_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.jsonl.gz")) if FILE_NAME.fullmatch(path.name))


def _lines(path: Path, data: bytes) -> list[bytes]:
    try:
        return gzip.decompress(data).split(b"\n")[:-1]
    except (OSError, EOFError, zlib.error) as error:
        raise Damaged(f"{path} is damaged: {error}") from error
