"""The log file stays readable on a full disk, and comes back when it is removed or renamed."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatproject.log_files import SharedLogFile
from chatproject.logs import JsonFormatter
from tests.kit.mounts import Mount
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # no database

MAX_BYTES = 4000
# Another process that writes 300 records of 100 bytes to the file that is its argument.
WRITER = """
import logging, os, sys
from chatproject.log_files import SharedLogFile
handler = SharedLogFile(sys.argv[1], max_bytes=20_000, old_files=50)
handler.setFormatter(logging.Formatter('{"pid": ' + str(os.getpid()) + ', "text": "%(message)s"}'))
for number in range(300):
    handler.handle(logging.makeLogRecord({"msg": f"{number:03}" + "x" * 70}))
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SharedLogFile]:
    handler = make(tmp_path / "logs" / "chat.log")
    yield handler
    handler.close()


def make(path: Path, *, max_bytes: int = MAX_BYTES) -> SharedLogFile:
    handler = SharedLogFile(str(path), max_bytes=max_bytes, old_files=2)
    handler.setFormatter(JsonFormatter("%(message)s"))
    return handler


def write(handler: SharedLogFile, text: str) -> None:
    handler.handle(logging.makeLogRecord({"msg": text, "name": "test"}))


def messages(path: Path) -> list[str]:
    """The messages of the file. Every line of it has to be JSON."""
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_write_when_the_disk_is_full_then_lines_stay_whole(small_disk: Mount) -> None:
    path = small_disk.path / "logs" / "chat.log"
    handler = make(path, max_bytes=10_000_000)
    write(handler, "first")
    small_disk.fill()
    # Fits into what is left of the page, and then into nothing.
    for number in range(40):
        write(handler, f"{number} " + "x" * 1000)
    kept = messages(path)
    assert kept[0] == "first"
    assert [text.split()[0] for text in kept[1:]] == [str(number) for number in range(len(kept) - 1)]
    small_disk.make_room()
    write(handler, "last")
    assert messages(path) == [*kept, f"{41 - len(kept)} log records could not be written", "last"]
    handler.close()


def test_write_when_the_directory_is_removed_then_made_again(log: SharedLogFile, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "chat.log"
    write(log, "lost with it")
    path.unlink()
    path.parent.rmdir()
    write(log, "new")
    assert messages(path) == ["new"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_write_when_renamed_by_hand_then_goes_to_the_new_file(log: SharedLogFile, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "chat.log"
    write(log, "old")
    path.rename(tmp_path / "moved.log")
    write(log, "new")
    assert (messages(tmp_path / "moved.log"), messages(path)) == (["old"], ["new"])


def test_write_when_a_line_was_torn_then_begins_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "chat.log"
    path.write_text('{"message": "tor')
    write(make(path), "whole")
    assert path.read_text().splitlines()[0] == '{"message": "tor'
    assert json.loads(path.read_text().splitlines()[1])["message"] == "whole"


def test_write_when_nothing_can_be_opened_then_raises_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("not a directory")
    handler = make(tmp_path / "logs" / "chat.log")
    write(handler, "lost")
    assert capsys.readouterr() == ("", "")
    (tmp_path / "logs").unlink()
    write(handler, "kept")
    assert messages(tmp_path / "logs" / "chat.log") == ["1 log records could not be written", "kept"]


def test_files_when_full_then_the_oldest_is_dropped(log: SharedLogFile, tmp_path: Path) -> None:
    for number in range(200):
        write(log, f"{number:03} " + "x" * 60)
    files = [tmp_path / "logs" / name for name in ("chat.log.2", "chat.log.1", "chat.log")]
    assert sorted(files) == sorted((tmp_path / "logs").iterdir())
    kept = [text[:3] for path in files for text in messages(path)]
    assert kept == [f"{number:03}" for number in range(200 - len(kept), 200)]
    assert all(path.stat().st_size <= MAX_BYTES for path in files)


def test_files_when_processes_share_them_then_no_line_is_lost_or_mixed(tmp_path: Path) -> None:
    path = tmp_path / "chat.log"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen(command, cwd=ROOT, env={**os.environ}) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    files = sorted(tmp_path.iterdir(), key=lambda file: -int(file.suffix[1:]) if file.suffix != ".log" else 1)
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(files) > 3
    for writer in writers:
        own = [line["text"][:3] for line in lines if line["pid"] == writer.pid]
        assert own == [f"{number:03}" for number in range(300)]


def test_fork_when_it_writes_then_has_a_lock_of_its_own(log: SharedLogFile, tmp_path: Path) -> None:
    write(log, "parent")
    child = os.fork()
    if child == 0:
        write(log, "child")
        os._exit(0)
    os.waitpid(child, 0)
    write(log, "parent again")
    assert messages(tmp_path / "logs" / "chat.log") == ["parent", "child", "parent again"]
