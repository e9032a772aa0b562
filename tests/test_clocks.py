"""Edits reach who was away, and the times of a log are in order, though the clocks of the processes differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

# Python runs this file before the server: it moves the clock that Python's code reads, and no other.
SITE = """
import datetime as module


class Fast(module.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + module.timedelta(seconds=60)


module.datetime = Fast
"""


@pytest.fixture(scope="module")
def servers(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ChatServer]]:
    """A server whose machine has the right time, and one whose clock is a minute fast."""
    site: Path = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(SITE)
    right = ChatServer(REDIS_URL=redis_server.url)
    fast = ChatServer(
        forked=False, REDIS_URL=redis_server.url, PYTHONPATH=str(site), DATA_DIR=right.env["DATA_DIR"]
    )
    try:
        yield [right.start(), fast.start()]
    finally:
        fast.stop()
        right.stop()


async def test_edit_when_a_clock_is_fast_then_reaches_who_was_away(servers: list[ChatServer]) -> None:
    right, fast = servers
    ann, ben = right.sign_up(), right.sign_up()
    room_id = ann.make_room(ben)
    message = ann.send(room_id, "as written")
    async with ben.on(fast).connect() as client:
        since = client.ready["serverTime"]
        reply = await client.reply("resume", {"rooms": {room_id: 1}, "since": since})
    edited = ann.http.patch(f"/api/rooms/{room_id}/messages/{message['id']}", json={"content": "edited"})
    assert edited.status_code == 200
    for known in (since, reply["serverTime"]):
        async with ben.connect() as client:
            await client.reply("resume", {"rooms": {room_id: 1}, "since": known})
            changes = [frame["data"] for frame in client.frames if frame["event"] == "message:updated"]
        assert [change["content"] for change in changes] == ["edited"]


async def test_edit_when_made_at_a_fast_clock_then_has_the_common_time(servers: list[ChatServer]) -> None:
    right, fast = servers
    ann = right.sign_up()
    room_id = ann.make_room()
    path = f"/api/rooms/{room_id}/messages/{ann.send(room_id, 'as written')['id']}"
    times = [
        ann.on(server).http.patch(path, json={"content": server.base_url}).json()["editedAt"]
        for server in (fast, right)
    ]
    assert times == sorted(times)


async def test_messages_when_clocks_differ_then_times_never_go_back(servers: list[ChatServer]) -> None:
    right, fast = servers
    ann = right.sign_up()
    room_id = ann.make_room()
    # The second of a process is sent with the head that it knows, the first with the one that it reads.
    turns = [right, fast, fast, right, right, fast, right]
    sent = [ann.on(server).send(room_id, "hello") for server in turns]
    assert [message["seq"] for message in sent] == [1, 2, 3, 4, 5, 6, 7]
    times = [message["createdAt"] for message in sent]
    assert times == sorted(times)
    assert times[0] < times[1] <= times[3]
    shown = ann.http.get(f"/api/rooms/{room_id}").json()
    assert shown["lastActivityAt"] == times[-1]
