"""The retention commands as processes: killed, repeated, and showing progress. Takes about ten seconds."""

import os
import pty
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_retention import archive_command, ten_messages

SEED = """
from datetime import timedelta
from messaging.models import Message
from foundation import times
from rooms.models import Room
room = Room.objects.get(pk="{room}")
old = times.now() - timedelta(days=400)
Message.objects.bulk_create([
    Message(room=room, seq=seq, sender_id="{sender}", content=f"old message {{seq}} äöü \\u2028", fingerprint="f",
            client_message_id=f"key {{seq}}", meta={{"z": seq, "a": 1.5}}, created_at=old + timedelta(seconds=seq))
    for seq in range(1, {count} + 1)
], batch_size=1000)
Room.objects.filter(pk=room.pk).update(last_seq={count})
"""
DUMP = """
import hashlib
from messaging.models import Message, MessageRevision
rows = list(Message.objects.filter(room_id="{room}").order_by("seq").values_list())
rows += list(MessageRevision.objects.filter(message_id__in=[r[0] for r in rows[:500]]).order_by("pk").values_list())
print(len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
"""


def shell(server: ChatServer, code: str) -> str:
    return server.manage("shell", "--no-imports", "-v0", "-c", code).stdout


def dump(server: ChatServer, room: str) -> str:
    return shell(server, DUMP.format(room=room))


def kill_after(server: ChatServer, line_start: str, *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    process = subprocess.Popen(command, env=server.env, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any(line.startswith(line_start) for line in process.stdout)
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.once  # test_retention kills at each step, on every database
@pytest.mark.timeout(300)
def test_commands_when_killed_between_two_files_then_continue(
    server: ChatServer, ann: ChatUser, tmp_path: Path
) -> None:
    room = ann.make_room()
    before = shell(server, SEED.format(room=room, sender=ann.id, count=2500) + DUMP.format(room=room))
    restoring = ["restore_messages", "--from", str(tmp_path)]
    kill_after(server, "archived 2000", *archive_command(room, tmp_path))
    assert server.manage(*archive_command(room, tmp_path)).stdout.splitlines()[-1].startswith("removed ")
    assert [message["seq"] for message in ann.history(room)] == [2500]
    assert server.manage(*restoring).stdout.splitlines()[-1].startswith("restored ")
    assert [message["content"][:13] for message in ann.history(room, before=3)] == [
        "old message 1",
        "old message 2",
    ]
    assert dump(server, room) == before


@pytest.mark.timeout(120)
def test_commands_when_two_run_at_once_then_no_message_is_lost(
    server: ChatServer, ann: ChatUser, tmp_path: Path
) -> None:
    """To one archive, where the second is refused, and to two, of which each may have a part of the log."""
    room = ann.make_room()
    before = shell(server, SEED.format(room=room, sender=ann.id, count=600) + DUMP.format(room=room))
    one, other = tmp_path / "one", tmp_path / "other"
    with ThreadPoolExecutor() as threads:
        runs = list(
            threads.map(lambda to: server.manage(*archive_command(room, to), check=False), [one, one, other])
        )
    assert all("Traceback" not in run.stderr for run in runs)
    # What was refused is done by the next run.
    for to in (one, other):
        server.manage(*archive_command(room, to))
    assert [message["seq"] for message in ann.history(room)] == [600]
    for source in (one, other, one, other):
        server.manage("restore_messages", "--from", str(source), check=False)
    assert dump(server, room) == before


@pytest.mark.once  # tests the output only
def test_command_when_on_a_terminal_then_shows_a_bar_else_lines(
    server: ChatServer, ann: ChatUser, ben: ChatUser, tmp_path: Path
) -> None:
    room, _ = ten_messages(ann, ben)
    terminal, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (40, 100))
    command = [sys.executable, "manage.py", *archive_command(room, tmp_path, age="0.001s")]
    process = subprocess.Popen(command, env=server.env, cwd=ROOT, stdout=its_end)
    os.close(its_end)
    shown = b""
    try:
        while data := os.read(terminal, 4096):
            shown += data
    except OSError:  # on Linux: the other end was closed
        pass
    os.close(terminal)
    assert process.wait(30) == 0
    assert b"archived: 100%" in shown
    assert b"removed: 100%" in shown
    plain = server.manage("restore_messages", "--from", str(tmp_path)).stdout
    assert plain.splitlines() == [f"restored 9 messages of room {room}", "restored 9 messages in all"]


@pytest.mark.parametrize(
    "option",
    [
        "--older-than=1", "--older-than=0s", "--older-than=0.0d",
        "--older-than=\u0661d", "--older-than=-1d", "--older-than=" + "9" * 400 + "d",
        "--older-than=36501d", "--older-than=9999999999s", "--room=0", "--room=01a20bd1bed6707dbd3a71bea614e6cb",
        "--room={01a20bd1-bed6-707d-bd3a-71bea614e6cb}", "--grace=nan",
        "--grace=inf", "--grace=-1", "--grace=1e400", "--grace=3601", "--grace=2h",
    ],
    ids=lambda option: ascii(option)[:40],
)  # fmt: skip
def test_archive_messages_when_an_option_is_malformed_then_names_it(option: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=option.partition("=")[0]):
        call_command("archive_messages", "--older-than=1d", option, f"--to={tmp_path}")
