"""The disaster drill: copy while everybody sends, lose the system, and restore the copy in an empty one.

About 15 seconds for each database.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.backups import mongodb as mongodb_backups
from operations.backups.errors import BackupError
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

pytestmark = pytest.mark.once  # brings a MongoDB of its own

# Between two messages of a sender, so that the copy gets CPU time.
PAUSE_SECONDS = 0.05


@pytest.fixture(params=["sqlite", "mongodb"])
def database_urls(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The database that is lost, and the empty one that replaces it."""
    if request.param == "sqlite":
        return "", ""  # each server has one in its own directory
    url = request.getfixturevalue("mongodb")
    return f"{url}/lost", f"{url}/new"


class Sender:
    """Sends all the time, creates rooms with a message in each, and keeps the acknowledged texts."""

    def __init__(self, user: ChatUser, peer: ChatUser) -> None:
        self.user, self.peer = user, peer
        self.room = user.make_room(peer)
        self.acknowledged: list[str] = []
        self.stopped = False
        self.warm = asyncio.Event()

    async def run(self) -> None:
        async with self.user.connect() as socket:
            while not self.stopped:
                content = f"message {len(self.acknowledged) + 1}"
                await socket.reply("message:send", {"roomId": self.room, "content": content})
                self.acknowledged.append(content)
                # The pace of a sender, not a wait.
                await asyncio.sleep(PAUSE_SECONDS)
                if len(self.acknowledged) % 10 == 0:
                    self.warm.set()
                    other = await asyncio.to_thread(self.user.make_room, self.peer)
                    await socket.reply("message:send", {"roomId": other, "content": "first"})


async def copy_while_sending(server: ChatServer, senders: list[Sender], path: Path) -> list[int]:
    """Returns how many messages of each sender were acknowledged when the copy began."""
    async with asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(sender.run())
        async with asyncio.timeout(90):
            for sender in senders:
                await sender.warm.wait()
        counts = [len(sender.acknowledged) for sender in senders]
        done = await asyncio.to_thread(manage, server, "backup_database", "--to", str(path))
        assert "backed up" in done.stdout
        for sender, count in zip(senders, counts, strict=True):
            assert len(sender.acknowledged) > count, "nobody wrote while the copy was made"
            sender.stopped = True
    return counts


def manage(server: ChatServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = server.manage(*arguments, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.timeout(240)
async def test_restore_when_all_is_lost_then_all_acknowledged_is_back(
    start_server: Callable[..., ChatServer], database_urls: tuple[str, str], tmp_path: Path
) -> None:
    lost_url, new_url = database_urls
    server, copy = start_server(DATABASE_URL=lost_url), tmp_path / "copy"
    users = [server.sign_up() for _ in range(2)]
    senders = [Sender(user, users[0]) for user in users]
    counts = await copy_while_sending(server, senders, copy)
    server.kill()

    new = ChatServer(DATABASE_URL=new_url)
    try:
        manage(new, "restore_database", "--from", str(copy))
        assert "No problems found." in manage(new, "check_integrity").stdout
        # The tokens of the lost system go on, and no second key was made.
        seeds = "from accounts.models import SigningSeed; print(SigningSeed.objects.count())"
        assert manage(new, "shell", "-v0", "-c", seeds).stdout.strip() == "1"
        new.start(migrate=False)
        for sender, count in zip(senders, counts, strict=True):
            user = sender.user.on(new)
            kept = user.history(sender.room, after=0)
            contents = [message["content"] for message in kept]
            assert contents == [f"message {n + 1}" for n in range(len(kept))]
            assert len(kept) >= min(count, 200)
            last = user.history(sender.room)[-1]["seq"]
            assert user.send(sender.room, "goes on")["seq"] == last + 1
    finally:
        new.stop()


def test_restore_when_a_mongodb_copy_is_incomplete_then_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    with pytest.raises(BackupError, match="not a complete copy"):
        mongodb_backups.restore(tmp_path)
    manifest.write_text(json.dumps({"format": 0}))
    with pytest.raises(BackupError, match="has format 0"):
        mongodb_backups.restore(tmp_path)
    manifest.write_text(json.dumps({"format": 1, "collections": {"rooms": {"sha256": "0" * 64}}}))
    with pytest.raises(BackupError, match="cannot be read"):
        mongodb_backups.restore(tmp_path)
    (tmp_path / "rooms.bson.gz").write_bytes(b"something else")
    with pytest.raises(BackupError, match="differs from the manifest"):
        mongodb_backups.restore(tmp_path)
