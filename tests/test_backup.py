"""The disaster drill: a copy is made while everybody sends, the system is lost, the copy comes back in an empty
one. About 15 seconds for each database."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from djongo_lts.testing import MongoServer
from realtime.testing import ChatServer, ChatUser

pytestmark = pytest.mark.once

PAUSE_SECONDS = 0.05  # so that the senders leave the machine to what is copied


@pytest.fixture(scope="module")
def mongodb() -> Iterator[str]:
    server = MongoServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "mongodb"])
def database_urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The database that is lost, and the empty one that takes its place."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/lost.sqlite3", f"sqlite:///{tmp_path}/new.sqlite3"
    url = request.getfixturevalue("mongodb")
    return f"{url}/lost", f"{url}/new"


class Sender:
    """Sends all the time, and makes rooms with a message in each; keeps what was acknowledged."""

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
                await asyncio.sleep(PAUSE_SECONDS)
                if len(self.acknowledged) % 10 == 0:
                    self.warm.set()
                    other = await asyncio.to_thread(self.user.make_room, self.peer)
                    await socket.reply("message:send", {"roomId": other, "content": "first"})


async def copy_while_sending(server: ChatServer, senders: list[Sender], path: Path) -> list[int]:
    """How much each sender had been acknowledged when the copy began."""
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


def manage(server: ChatServer, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    done = server.manage(*arguments, check=False)
    assert bool(done.returncode) is fails, done.stdout + done.stderr
    return done


@pytest.mark.timeout(240)
async def test_database_when_lost_then_its_copy_comes_back_sound_with_all_that_was_acknowledged_before(
    start_server: Callable[..., ChatServer], database_urls: tuple[str, str], tmp_path: Path
) -> None:
    lost_url, new_url = database_urls
    server, copy = start_server(DATABASE_URL=lost_url), tmp_path / "copy"
    users = [server.sign_up() for _ in range(2)]
    senders = [Sender(user, users[0]) for user in users]
    counts = await copy_while_sending(server, senders, copy)
    refused = manage(server, "restore_database", "--from", str(copy), fails=True)
    assert "into an empty one only" in refused.stderr
    server.kill()

    new = ChatServer(DATABASE_URL=new_url)
    try:
        manage(new, "restore_database", "--from", str(copy))
        assert "The database is sound; 0 violation(s) repaired." in manage(new, "check_integrity").stdout
        new.start()
        for sender, count in zip(senders, counts, strict=True):
            user = sender.user.on(new)
            kept = user.history(sender.room, after=0)
            contents = [message["content"] for message in kept]
            assert contents == [f"message {n + 1}" for n in range(len(kept))]
            assert len(kept) >= min(count, 200)
            last = user.history(sender.room)[-1]["seq"]
            assert user.send(sender.room, "goes on")["seq"] == last + 1
        assert "is there already" in manage(new, "backup_database", "--to", str(copy), fails=True).stderr
    finally:
        new.stop()
