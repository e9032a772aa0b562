"""The database refuses to write: its disk is full, or it is read-only. Writes are answered `unavailable`, known as
not stored; reads go on; and the chat recovers by itself. No acknowledged message is lost or doubled."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from djongo_lts.testing import MongoServer
from tests.kit.errors import check_error, error_of
from tests.kit.load import TEMPORARY, loaded, recovered, until_not_ready
from tests.kit.mounts import mounted
from tests.kit.postgresql import PostgreSQLServer, installations, unprivileged
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser
from tests.kit.waiting import until, wait_until

pytestmark = pytest.mark.once  # starts its own databases

OUT_OF_DISK_SPACE, NOT_WRITABLE_PRIMARY = 14031, 10107
MAX_GROWTH_BYTES = 50 * 1024 * 1024
ADMIN = "boss@example.com"


@dataclass
class Fault:
    """A database, and the ways to make it refuse writes and to end that.

    `steady`: the connections stay, so reads go on.
    """

    env: dict[str, str]
    begin: Callable[[], None]
    end: Callable[[], None]
    steady: bool = True


@contextmanager
def full_sqlite(tmp_path: Path) -> Iterator[Fault]:
    with mounted(tmp_path / "disk", size_bytes=8 * 1024 * 1024) as disk:
        yield Fault({"DATA_DIR": str(disk.path / "data"), "DATABASE_URL": ""}, disk.fill, disk.make_room)


@contextmanager
def postgresql() -> Iterator[PostgreSQLServer]:
    if not (found := installations()):
        pytest.skip("PostgreSQL is not installed")
    server = PostgreSQLServer(found[0])
    try:
        server.start()
        yield server
    finally:
        server.stop()


def execute(server: PostgreSQLServer, statement: str) -> None:
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def full_postgresql(tmp_path: Path) -> Iterator[Fault]:
    """Only the tables are on the small disk. PostgreSQL ends itself when it cannot write its WAL."""
    with postgresql() as server, mounted(server.folder / "small", size_bytes=48 * 1024 * 1024) as disk:
        if owner := unprivileged().get("user"):
            shutil.chown(disk.path, owner)
        execute(server, f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        execute(server, "CREATE DATABASE chat TABLESPACE small")
        # Vacuuming finds room in the tables for a while.
        execute(server, "ALTER SYSTEM SET autovacuum = off")
        execute(server, "SELECT pg_reload_conf()")
        yield Fault({"DATABASE_URL": f"{server.url}/chat"}, disk.fill, disk.make_room)


@contextmanager
def read_only_postgresql(tmp_path: Path) -> Iterator[Fault]:
    with postgresql() as server:
        execute(server, "CREATE DATABASE chat")

        def set_read_only(value: str) -> None:
            execute(server, f"ALTER DATABASE chat SET default_transaction_read_only = {value}")
            # Sessions keep the value that they began with.
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'chat'"
            if value == "on":
                execute(server, ended)

        env = {"DATABASE_URL": f"{server.url}/chat"}
        yield Fault(env, lambda: set_read_only("on"), lambda: set_read_only("off"))


@contextmanager
def refusing_mongodb(code: int) -> Iterator[Fault]:
    server = MongoServer(fails=True)
    try:
        server.start()
        env = {"DATABASE_URL": f"{server.url}/chat"}
        # The driver drops its connections to a server that is no primary, and looks for another.
        steady = code != NOT_WRITABLE_PRIMARY
        yield Fault(env, lambda: server.fail_writes(code), lambda: server.fail_writes(None), steady)
    finally:
        server.stop()


FAULTS: dict[str, Callable[[Path], AbstractContextManager[Fault]]] = {
    "full SQLite": full_sqlite,
    "full PostgreSQL": full_postgresql,
    "read-only PostgreSQL": read_only_postgresql,
    "full MongoDB": lambda _: refusing_mongodb(OUT_OF_DISK_SPACE),
    "read-only MongoDB": lambda _: refusing_mongodb(NOT_WRITABLE_PRIMARY),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fault]:
    with FAULTS[request.param](tmp_path) as fault:
        yield fault


@pytest.fixture
def refusing(fault: Fault) -> Iterator[ChatServer]:
    server = ChatServer(DJANGO_SUPERUSER_PASSWORD=PASSWORD, **fault.env)
    try:
        server.start()
        server.manage("createsuperuser", "--noinput", "--username=boss", f"--email={ADMIN}")
        yield server
    finally:
        server.stop()


async def test_messages_when_writes_are_refused_then_none_is_lost_or_doubled(
    fault: Fault, refusing: ChatServer
) -> None:
    async with loaded([refusing]) as load:
        before = refusing.memory_bytes()
        fault.begin()
        await until(lambda: bool(load.errors), "a send is refused")
        await until_not_ready(refusing)
        if fault.steady:
            answer = load.user.http.post(f"/api/rooms/{load.room_id}/messages", json={"content": "x"})
            error = error_of(answer, 503, "unavailable")
            assert "was not stored" in error["message"], error
            assert len(load.user.history(load.room_id)) >= 4
        fault.end()
        await load.progress(4)
        await recovered(load)
        assert refusing.memory_bytes() - before < MAX_GROWTH_BYTES
    assert load.errors <= TEMPORARY
    wait_until(refusing.ready, "the server is ready again")
    assert "the database refuses to write" in [record["message"] for record in refusing.log_records()]


# A table of PostgreSQL has room for small rows also when its disk has none for more pages. The driver of MongoDB
# looks for a primary for seconds, at each write.
ALL_DOORS = ["full SQLite", "read-only PostgreSQL", "full MongoDB"]


@pytest.mark.parametrize("fault", ALL_DOORS, indirect=True)
async def test_writes_when_refused_then_all_doors_say_unavailable(fault: Fault, refusing: ChatServer) -> None:
    user, peer = refusing.sign_up(), refusing.sign_up()
    room_id = user.make_room(peer)
    message = user.send(room_id, "hello")
    async with user.connect() as sender, peer.connect() as reader:
        fault.begin()
        await until_not_ready(refusing)
        ids = {"roomId": room_id, "messageId": message["id"]}
        for socket, event, data in (
            (sender, "message:send", {"roomId": room_id, "content": "x" * 4000}),
            (reader, "message:ack", {"roomId": room_id, "seq": 1, "status": "read"}),
            (sender, "message:edit", {**ids, "content": "y" * 4000}),
            (sender, "message:delete", ids),
        ):
            check_error(await socket.error(event, data), "unavailable")
        for answer in rest_writes(refusing, user, room_id):
            error_of(answer, 503, "unavailable")
        error_of(desk_login(refusing), 503, "unavailable")
        # Reads, and what needs no write.
        assert user.http.get("/api/rooms").status_code == 200
        assert (await sender.reply("presence:query", {"userIds": [peer.id]}))[peer.id]["online"]
        async with peer.connect():
            pass
        fault.end()
        wait_until(refusing.ready, "the server is ready again")
        assert await sender.reply("message:edit", {**ids, "content": "y"})
    assert [one["content"] for one in user.history(room_id)] == ["y"]
    assert desk_login(refusing).status_code == 302


def rest_writes(server: ChatServer, user: ChatUser, room_id: str) -> Iterator[httpx.Response]:
    """Requests that write, of every app."""
    new = {"username": "late_comer", "email": "late@example.com", "password": PASSWORD, "displayName": "x"}
    with server.http() as http:
        yield http.post("/api/auth/signup", json=new)
        yield http.post("/api/auth/login", json={"email": user.email, "password": PASSWORD})
        yield http.post("/api/auth/refresh", json={"refreshToken": user.refresh_token})
        yield http.post("/api/auth/logout", json={"refreshToken": user.refresh_token})
    yield user.http.post("/api/rooms", json={"name": "late"})
    yield user.http.post(f"/api/rooms/{room_id}/messages", json={"content": "x"})
    yield user.http.patch("/api/users/me", json={"displayName": "late"})


def desk_login(server: ChatServer) -> httpx.Response:
    with server.http() as http:
        page = http.get("/admin/login/")
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[0]
        form = {"csrfmiddlewaretoken": token, "username": ADMIN, "password": PASSWORD, "next": "/admin/"}
        # Secure cookies are not sent over HTTP by themselves.
        return http.post(
            "/admin/login/", data=form, headers={"Cookie": f"__Host-csrf={page.cookies['__Host-csrf']}"}
        )
