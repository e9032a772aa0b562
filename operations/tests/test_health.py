"""Liveness and readiness, also while a part of the server is away. About twelve seconds."""

import json
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis import Redis

from tests.kit.databases import run_database_url
from tests.kit.errors import error_of
from tests.kit.paths import ROOT
from tests.kit.processes import free_port
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


def connection_to_file(server: ChatServer) -> sqlite3.Connection:
    return sqlite3.connect(f"{server.env['DATA_DIR']}/chat.sqlite3", isolation_level=None)


@pytest.mark.once  # locks SQLite's file
async def test_send_when_the_database_is_locked_then_a_retry_stores_it_once(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    user = server.sign_up()
    room_id = user.make_room()
    lock = connection_to_file(server)
    data = {"roomId": room_id, "content": "x", "clientMessageId": "k"}
    async with user.connect() as client:
        lock.execute("BEGIN IMMEDIATE")
        await client.send("message:send", data, ref="locked")
        answer = await client.expect(lambda frame: frame.get("ref") == "locked", seconds=40)
        assert answer["event"] == "error:unavailable"
        assert "was not stored" in answer["data"]["message"]
        assert [frame for frame in client.frames if frame["event"] == "message:receive"] == []
        lock.execute("ROLLBACK")
        lock.close()
        reply = await client.reply("message:send", data)
    assert reply["seq"] == 1
    assert [message["content"] for message in user.history(room_id)] == ["x"]


@pytest.mark.once  # locks SQLite's file
def test_ready_when_the_file_is_locked_then_503_before_a_probe_gives_up(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    wait_for(server, 200)
    lock = connection_to_file(server)
    lock.execute("BEGIN EXCLUSIVE")
    environment = {**server.env, "PORT": str(server.port)}
    probe = [sys.executable, "deploy/probe.py", "/readyz"]

    def probed() -> tuple[int, str]:
        done = subprocess.run(probe, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    # The first may still get the answer of a moment ago. No answer within its timeout is no JSON.
    wait_until(lambda: probed()[0] == 1, "the probe fails")
    assert "database" in json.loads(probed()[1])["error"]["message"]
    assert server.http().get("/healthz").status_code == 200
    lock.execute("ROLLBACK")
    lock.close()
    assert wait_for(server, 200).json()["parts"] == PARTS


@pytest.mark.once  # opens SQLite's file read-only
def test_ready_when_the_database_is_read_only_then_503_and_reads_go_on(
    start_server: Callable[..., ChatServer],
) -> None:
    first = start_server()
    user = first.sign_up()
    room_id = user.make_room()
    path = f"{first.env['DATA_DIR']}/chat.sqlite3"
    server = start_server(DATABASE_URL=f"sqlite:///file:{path}%3Fmode=ro")
    error = error_of(server.http().get("/readyz"), 503, "unavailable")
    assert "database" in error["message"]
    user = user.on(server)
    error = error_of(
        user.http.post(f"/api/rooms/{room_id}/messages", json={"content": "x"}), 503, "unavailable"
    )
    assert "was not stored" in error["message"]
    assert user.history(room_id) == []


def test_ready_when_many_ask_then_they_share_a_check(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(LOG_LEVEL="DEBUG")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.ready(), range(200)))
    assert all(answers)
    written = [record for record in server.log_records() if record["message"] == "readiness checked"]
    assert 1 <= len(written) < len(answers) / 4


def test_ready_when_processes_ask_at_once_then_nothing_conflicts_or_grows(
    start_server: Callable[..., ChatServer], redis: RedisServer
) -> None:
    one = start_server(REDIS_URL=redis.url)
    two = start_server(REDIS_URL=redis.url, DATA_DIR=one.env["DATA_DIR"])
    servers = [one, two]
    for _ in range(6):
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda server: server.ready(), servers * 4))
    count = "from operations.models import WriteProbe; print(WriteProbe.objects.count())"
    assert one.manage("shell", "-c", count).stdout.strip().splitlines()[-1] == "1"


@pytest.mark.parametrize("refuses", ["is full", "is a replica"])
def test_ready_when_redis_takes_no_writes_then_503_and_messages_go_on(
    start_server: Callable[..., ChatServer], redis: RedisServer, refuses: str
) -> None:
    limits = {"RATE_LIMITS": "on", "LIMIT_SIGNUP_IP": "100/1m"}
    server = start_server(REDIS_URL=redis.url, **limits)
    user, peer = server.sign_up(), server.sign_up()
    room_id = user.make_room(peer)
    wait_for(server, 200)
    client = Redis.from_url(redis.url)
    if refuses == "is full":
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
    else:
        client.replicaof("127.0.0.1", free_port())
        client.config_set("replica-serve-stale-data", "yes")
    assert "redis" in error_of(wait_for(server, 503), 503, "unavailable")["message"]
    assert user.send(room_id, "stored")["seq"] == 1
    assert user.login().http.get("/api/rooms").status_code == 200
    assert user.http.get(f"/api/rooms/{room_id}/presence").status_code == 200
    client.config_set("maxmemory", 0)
    client.replicaof("NO", "ONE")
    client.close()
    assert wait_for(server, 200).json()["parts"] == PARTS
    assert [record for record in server.log_records() if record["level"] == "ERROR"] == []
