"""Liveness and readiness, also while a part of the server is away. About twelve seconds."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.kit.databases import run_database_url
from tests.kit.errors import error_of
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.waiting import wait_until

PARTS = {"database": "ok", "redis": "ok", "hub": "ok", "writer": "ok"}


def wait_for(server: ChatServer, status: int) -> httpx.Response:
    with server.http() as http:
        wait_until(lambda: http.get("/readyz").status_code == status, f"/readyz answers {status}")
        return http.get("/readyz")


def test_health_when_all_works_then_is_200_without_a_token(server: ChatServer) -> None:
    with server.http() as http:
        assert (http.get("/healthz").status_code, http.get("/healthz").json()) == (200, {"status": "ok"})
        assert (http.get("/readyz").status_code, http.get("/readyz").json()) == (
            200,
            {"status": "ok", "parts": PARTS},
        )


def test_ready_when_not_migrated_then_503_until_it_is() -> None:
    server = ChatServer()
    # The database of the test run is migrated already.
    if url := run_database_url(uuid.uuid4().hex[:8]):
        server.env["DATABASE_URL"] = url
    try:
        server.start(migrate=False)
        error = error_of(server.http().get("/readyz"), 503, "unavailable")
        assert "database" in error["message"]
        assert server.http().get("/healthz").status_code == 200
        server.manage("migrate", "accounts", "--verbosity=0")
        assert "database" in error_of(server.http().get("/readyz"), 503, "unavailable")["message"]
        server.manage("migrate", "--verbosity=0")
        assert wait_for(server, 200).json()["parts"] == PARTS
    finally:
        server.stop()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    redis = RedisServer()
    redis.start()
    yield redis
    redis.stop()


def test_ready_when_redis_is_away_and_back_then_503_and_200_again(
    start_server: Callable[..., ChatServer], redis: RedisServer
) -> None:
    server = start_server(REDIS_URL=redis.url)
    wait_for(server, 200)
    redis.kill()
    error = error_of(wait_for(server, 503), 503, "unavailable")
    assert "redis" in error["message"]
    assert server.http().get("/healthz").status_code == 200
    redis.start()
    assert wait_for(server, 200).json()["parts"] == PARTS


@pytest.mark.once  # locks SQLite's file
async def test_send_when_the_database_is_locked_then_a_retry_stores_it_once(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    user = server.sign_up()
    room_id = user.make_room()
    lock = sqlite3.connect(f"{server.env['DATA_DIR']}/chat.sqlite3", isolation_level=None)
    data = {"roomId": room_id, "content": "x", "clientMessageId": "k"}
    async with user.connect() as client:
        lock.execute("BEGIN IMMEDIATE")
        await client.send("message:send", data, ref="locked")
        answer = await client.expect(lambda frame: frame.get("ref") == "locked", seconds=40)
        assert answer["event"] == "error:unavailable"
        assert [frame for frame in client.frames if frame["event"] == "message:receive"] == []
        lock.execute("ROLLBACK")
        lock.close()
        reply = await client.reply("message:send", data)
    assert reply["seq"] == 1
    assert [message["content"] for message in user.history(room_id)] == ["x"]
