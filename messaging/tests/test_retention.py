"""Archiving and restoring beside a running server, with kills in between. Takes about 40 seconds."""

import ast
import asyncio
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from foundation import times
from messaging import retention
from messaging.archive import Archive
from messaging.archive_lines import without_change_time
from messaging.models import ArchivedKey, Message, MessageRevision
from messaging.services.changes import _change
from rooms.models import Room
from tests.kit.paths import ROOT
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser


def archive_command(room: str, to: Path, age: str = "365d") -> list[str]:
    return ["archive_messages", "--older-than", age, "--room", room, "--to", str(to), "--grace", "0"]


def archive(server: ChatServer, room: str, to: Path) -> str:
    return server.manage(*archive_command(room, to, age="0.001s")).stdout


def files_of(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob("*/*.jsonl.gz"))
    }


def ten_messages(ann: ChatUser, ben: ChatUser) -> tuple[str, list[dict[str, Any]]]:
    """A room with ten messages, one of them edited and one deleted."""
    room = ann.make_room(ben)
    sent = [ann.send(room, f"message {n}", clientMessageId=f"c{n}") for n in range(1, 11)]
    ann.http.patch(f"/api/rooms/{room}/messages/{sent[2]['id']}", json={"content": "edited"})
    ann.http.delete(f"/api/rooms/{room}/messages/{sent[3]['id']}")
    return room, sent


@pytest.fixture
def talk(ann: ChatUser, ben: ChatUser) -> tuple[str, list[dict[str, Any]]]:
    return ten_messages(ann, ben)


async def test_clients_when_messages_are_archived_then_get_the_first_seq(
    start_server: Callable[..., ChatServer], redis_server: RedisServer, tmp_path: Path
) -> None:
    server = start_server(REDIS_URL=redis_server.url)  # the command publishes to it over Redis
    ann, ben = server.sign_up(), server.sign_up()
    room, sent = ten_messages(ann, ben)
    async with ben.connect() as present:
        await asyncio.to_thread(archive, server, room, tmp_path)
        received = (await present.expect("room:updated"))["data"]
        assert (received["id"], received["firstSeq"], received["lastSeq"]) == (room, 10, 10)
        await check_what_remains(ann, ben, room, sent, received)
        await asyncio.to_thread(server.manage, "restore_messages", "--from", str(tmp_path), "--room", room)
        received = (await present.expect("room:updated"))["data"]
    assert (received["id"], received["firstSeq"], received["lastSeq"]) == (room, 1, 11)
    assert received.items() <= ben.http.get(f"/api/rooms/{room}").json().items()
    restored = ben.history(room)
    assert [message["seq"] for message in restored] == list(range(1, 12))
    assert [message["content"] for message in restored[1:4]] == ["message 2", "edited", ""]


async def check_what_remains(
    ann: ChatUser, ben: ChatUser, room: str, sent: list[dict[str, Any]], received: dict[str, Any]
) -> None:
    """Check every view of a room with ten messages of which nine are archived."""
    page = ben.http.get(f"/api/rooms/{room}/messages").json()
    assert [message["seq"] for message in page["results"]] == [10]
    assert (page["hasMore"], page["firstSeq"]) == (False, 10)
    for query in ({"before": 5}, {"before": 10}):
        page = ben.http.get(f"/api/rooms/{room}/messages", params=query).json()
        assert (page["results"], page["hasMore"]) == ([], False)
    for query in ({"after": 3}, {"around": 2}):
        assert [message["seq"] for message in ben.history(room, **query)] == [10]
    shown = ben.http.get(f"/api/rooms/{room}").json()
    assert received.items() <= shown.items()
    assert shown["unreadCount"] == 1
    async with ben.connect() as socket:
        reply = await socket.reply("resume", {"rooms": {room: 3}})
        assert reply["rooms"][room] == {"complete": False, "lastSeq": 10, "firstSeq": 10}
        reply = await socket.reply("resume", {"rooms": {room: 9}})
        assert reply["rooms"][room]["complete"]
    gone = ann.http.patch(f"/api/rooms/{room}/messages/{sent[0]['id']}", json={"content": "x"})
    assert gone.status_code == 404
    assert ann.send(room, "the next")["seq"] == 11


async def test_resume_when_changes_were_restored_then_repeats_them(
    server: ChatServer, ann: ChatUser, ben: ChatUser, talk: Any, tmp_path: Path
) -> None:
    """Who resumed while they were archived has not got them, however old they are."""
    room, _ = talk
    age = "Message.objects.exclude(changed_at=None).update(changed_at=datetime(2026, 1, 1, tzinfo=UTC))"
    imports = "from datetime import UTC, datetime; from messaging.models import Message"
    await asyncio.to_thread(server.manage, "shell", "-c", f"{imports}; {age}")
    await asyncio.to_thread(archive, server, room, tmp_path)
    async with ben.connect() as socket:
        asked = {"rooms": {room: 10}, "since": "2025-12-31T00:00:00.000Z"}
        asked["since"] = (await socket.reply("resume", asked))["serverTime"]
        assert [frame["event"] for frame in socket.frames] == ["ready", "reply"]
        await asyncio.to_thread(server.manage, "restore_messages", "--from", str(tmp_path), "--room", room)
        await socket.reply("resume", asked)
        changes = {f["data"]["seq"]: f["event"] for f in socket.frames if "seq" in f["data"]}
    assert changes == {3: "message:updated", 4: "message:deleted"}


async def test_client_message_id_when_archived_then_still_finds_the_message(
    server: ChatServer, ann: ChatUser, talk: Any, tmp_path: Path
) -> None:
    room, sent = talk
    reply_to = sent[0]["id"]
    answered = ann.send(room, "an answer", clientMessageId="late", replyTo=reply_to)
    ann.send(room, "the last")
    archive(server, room, tmp_path)
    async with ann.connect() as socket:
        body = {"roomId": room, "content": "message 1", "clientMessageId": "c1"}
        reply = await socket.reply("message:send", body)
        assert (reply["duplicate"], reply["serverMessageId"], reply["seq"]) == (True, sent[0]["id"], 1)
        assert reply["createdAt"] == sent[0]["createdAt"]
        refused = await socket.error("message:send", {**body, "content": "another"})
        assert refused["code"] == "conflict"
    path = f"/api/rooms/{room}/messages"
    answer = ann.http.post(path, json={"content": "message 2", "clientMessageId": "c2"})
    assert (answer.status_code, answer.json()["id"]) == (200, sent[1]["id"])
    answer = ann.http.post(
        path, json={"content": "an answer", "clientMessageId": "late", "replyTo": reply_to}
    )
    assert (answer.status_code, answer.json()["id"]) == (200, answered["id"])
    assert ann.http.post(path, json={"content": "new", "replyTo": reply_to}).status_code == 400
    assert [message["seq"] for message in ann.history(room)] == [12]


def edit(message: Message, **changes: Any) -> datetime:
    now = times.now()
    _change(message, {"edited_at": now, "edited_by_id": message.sender_id, "changed_at": now, **changes})
    return now


def rows_of(room: Room) -> str:
    """Without `changed_at`, which is new after a restore."""
    rows = list(Message.objects.filter(room=room).order_by("seq").values())
    revisions = MessageRevision.objects.filter(message_id__in=[row["id"] for row in rows])
    kept = [row | {"changed_at": None} for row in rows]
    return repr([kept, list(revisions.order_by("pk").values())])


def lines_of(directory: Path) -> list[Any]:
    files = [gzip.decompress(path.read_bytes()) for path in sorted(directory.glob("*/*.jsonl.gz"))]
    return [without_change_time(line) for file in files for line in file.splitlines()]


@pytest.mark.smoke
def test_archive_when_restored_then_rows_and_lines_are_as_before(
    log: tuple[Room, list[Message]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, messages = log
    edit(messages[0], content="edited")
    before = rows_of(room)
    archive_all, one, two = (["archive_messages", "--older-than", "1m", "--grace", "0", "--to"], *"12")
    one, two = tmp_path / one, tmp_path / two
    call_command(*archive_all, str(one))
    assert rows_of(room) != before
    call_command("restore_messages", "--from", str(one))
    assert rows_of(room) == before
    call_command(*archive_all, str(two))
    assert lines_of(one) == lines_of(two) != []
    files = files_of(two)
    call_command(*archive_all, str(two))
    assert files_of(two) == files, "the second run has nothing to do"
    (file,) = two.glob("*/*.jsonl.gz")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?")
    with pytest.raises(CommandError, match="1 room"):
        call_command("restore_messages", "--from", str(two))
    assert f"skipped room {room.pk}: {file} is damaged" in capsys.readouterr().out
    file.write_bytes(whole)
    call_command("restore_messages", "--from", str(two))
    assert rows_of(room) == before


def test_archive_when_older_than_a_derived_column_then_is_restored(
    log: tuple[Room, list[Message]], tmp_path: Path
) -> None:
    room, _ = log
    before = rows_of(room)
    call_command("archive_messages", "--older-than", "1m", "--grace", "0", "--to", str(tmp_path))
    archive = Archive(tmp_path)
    manifest = archive.manifest(room.pk)
    (chunk,) = manifest.chunks
    lines = [json.loads(line) for line in archive.read(room.pk, chunk)]
    for line in lines:
        line.pop("search_text", None)
    written = [json.dumps(line).encode() for line in lines]
    archive.write(manifest, written, chunk.first_seq, chunk.last_seq)
    call_command("restore_messages", "--from", str(tmp_path))
    assert rows_of(room) == before


@pytest.mark.timeout(300)
def test_runs_when_killed_at_each_step_then_the_next_loses_no_byte(
    server: ChatServer, talk: Any, tmp_path: Path
) -> None:
    room, _ = talk
    command = [sys.executable, "-m", "messaging.tests.kill_points", room, str(tmp_path), "--every", "3"]
    done = subprocess.run(command, env=server.env, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    points = ast.literal_eval(done.stdout)
    assert min(points.values()) > 12, points


def test_edit_when_made_between_archiving_and_removing_then_is_archived(
    log: tuple[Room, list[Message]], tmp_path: Path
) -> None:
    room, messages = log
    to = Archive(tmp_path)
    through = retention.archivable_through(room=room, older_than=times.now() + timedelta(days=1))
    assert list(retention.archive_room(room=room, through=through, archive=to)) == [2]
    Room.objects.filter(pk=room.pk).update(
        first_seq=1
    )  # as an edit that read the room before first_seq moved
    edit(messages[0], content="edited")
    deleted_at = edit(messages[1], content="", deleted_at=times.now())
    Room.objects.filter(pk=room.pk).update(first_seq=3)
    assert list(retention.remove_archived(room=room, archive=to)) == [2]
    assert list(Message.objects.filter(room=room).values_list("seq", flat=True)) == [3]
    assert len(files_of(tmp_path)) == 1
    late = [key.deleted_at for key in ArchivedKey.objects.order_by("seq")]
    assert late[0] is None
    assert late[1] <= deleted_at
    assert list(retention.restore_room(room=room, archive=to)) == [2]
    contents = Message.objects.filter(room=room).order_by("seq").values_list("content", flat=True)
    assert list(contents) == ["edited", "", "m3 \u2028"]


def test_retention_when_one_room_has_a_policy_then_only_it_is_archived(
    log: tuple[Room, list[Message]], settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, messages = log
    other = Room.objects.create(name="keeps all", last_seq=2)
    settings.ARCHIVE_DIR, settings.RETENTION_DAYS = str(tmp_path), 0
    for n in (1, 2):
        Message.objects.create(room=other, seq=n, sender=messages[0].sender, content="m", fingerprint="f")
    Message.objects.update(created_at=times.now() - timedelta(days=40))
    Room.objects.filter(pk=room.pk).update(retention_days=30)
    call_command("apply_retention", "--grace", "0")
    assert "archived 2 messages in all" in capsys.readouterr().out
    assert [Message.objects.filter(room=one).count() for one in (room, other)] == [1, 2]
    settings.RETENTION_DAYS = 39
    call_command("apply_retention", "--grace", "0")
    assert [Message.objects.filter(room=one).count() for one in (room, other)] == [1, 1]
