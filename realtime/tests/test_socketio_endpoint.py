"""SocketIo: stock socket.io-clients and raw sockets against real servers. About two minutes."""

import asyncio
import contextlib
import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .stock_client import WAIT_SECONDS, StockClient

Open = Callable[..., StockClient]

# A client begins with the first and upgrades to the second.
TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]
MAX_FRAME_BYTES = 65_536
HELD_SECONDS = 6.0


@pytest.fixture
def open_client(node: Any) -> Iterator[Open]:
    opened: list[StockClient] = []

    def open_one(user: ChatUser, **options: Any) -> StockClient:
        opened.append(StockClient(user.server, options.pop("token", user.access_token), **options))
        return opened[-1]

    yield open_one
    for client in opened:
        client.stop()


async def closed(ws: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await ws.recv()


def polling(server: ChatServer) -> socket.socket:
    """A client that polls and has not logged in."""
    query = "/socket.io/?EIO=4&transport=polling"
    with server.http() as http:
        query += "&sid=" + json.loads(http.get(query).text[1:])["sid"]
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(f"GET {query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return client


def test_clients_when_on_two_processes_then_reach_each_other(
    redis_server: RedisServer, start_server: Callable[..., ChatServer], open_client: Open
) -> None:
    here = start_server(REDIS_URL=redis_server.url, RATE_LIMITS="on", LIMIT_MESSAGES_USER="3/1h")
    there = start_server(REDIS_URL=redis_server.url, DATA_DIR=here.env["DATA_DIR"])
    alice, bob = here.sign_up("alice"), here.sign_up("bob").on(there)
    one, two = open_client(alice), open_client(bob, transports=["websocket"])
    for client, user in ((one, alice), (two, bob)):
        assert client.expect("ready")["data"]["userId"] == user.id

    sent = one.emit("message:send", {"toUserId": bob.id, "content": "Hello!", "clientMessageId": "a-1"})
    assert (sent["seq"], sent["duplicate"], sent["clientMessageId"]) == (1, False, "a-1")
    room_id = sent["roomId"]
    for client in (one, two):
        message = client.expect("message:receive")["data"]
        assert (message["from"], message["to"], message["content"]) == (alice.id, bob.id, "Hello!")
        assert message["id"] == sent["serverMessageId"]
    again = one.emit("message:send", {"toUserId": bob.id, "content": "Hello!", "clientMessageId": "a-1"})
    assert (again["serverMessageId"], again["duplicate"]) == (sent["serverMessageId"], True)

    two.command(event="message:ack", args=[{"roomId": room_id, "seq": 1, "status": "read"}])
    marks = one.expect(lambda line: line.get("event") == "message:ack" and line["data"]["readSeq"] == 1)
    assert marks["data"]["userId"] == bob.id
    two.command(event="typing", args=[{"roomId": room_id, "isTyping": True}])
    assert one.expect("typing")["data"] == {"roomId": room_id, "userId": bob.id, "isTyping": True}
    assert one.emit("presence:query", {"userIds": [bob.id]})[bob.id]["online"] is True

    assert "seq" in one.emit("message:send", {"roomId": room_id, "content": "third of three"})
    refused = one.emit("message:send", {"roomId": room_id, "content": "one too many"})
    assert refused["error"]["code"] == "rate_limited"
    assert one.expect("error:rate_limited")["data"] == refused["error"]
    assert [message["content"] for message in bob.history(room_id)] == ["Hello!", "third of three"]


def test_socket_io_when_messages_come_by_rest_then_gets_the_same_data(
    ann: ChatUser, ben: ChatUser, open_client: Open
) -> None:
    room_id = ann.make_room(ben)
    client = open_client(ben)
    assert client.expect("upgrade")["data"] == {"transport": "websocket"}
    assert room_id in client.expect("ready")["data"]["rooms"]
    ann.send(room_id, "by REST")
    received = client.expect("message:receive")["data"]
    assert received == ben.history(room_id)[0]
    missed = client.emit("resume", {"rooms": {room_id: 0}})
    assert missed["rooms"] == {room_id: {"complete": True, "from": 1, "through": 1}}
    assert client.expect("message:receive")["data"] == received


def test_socket_io_when_only_polling_is_possible_then_it_works(
    ann: ChatUser, ben: ChatUser, open_client: Open
) -> None:
    client = open_client(ben, transports=["polling"])
    client.expect("ready")
    # More packets in one POST than python-engineio accepts by default.
    for number in range(40):
        client.command(event="ping", args=[{}])
        client.command(id=1000 + number, event="ping", args=[{}])
    for number in range(40):
        assert client.expect(lambda line, n=number: line.get("id") == 1000 + n)["answer"]["serverTime"]
    ann.send(ann.make_room(ben), "polled")
    assert client.expect("message:receive")["data"]["content"] == "polled"


def test_socket_io_when_the_token_is_bad_then_connect_error_says_so(
    server: ChatServer, ben: ChatUser, open_client: Open
) -> None:
    for token in ("", "nonsense"):
        error = open_client(ben, token=token, transports=["websocket"]).expect("connect_error")["data"]
        assert error["code"] == "unauthenticated"
        assert "token" in error["message"]
    header = {"extraHeaders": {"Authorization": f"Bearer {ben.access_token}"}}
    assert open_client(ben, token="", **header).expect("ready")["data"]["userId"] == ben.id


def test_socket_io_when_the_session_ends_then_it_stays_disconnected(
    server: ChatServer, open_client: Open
) -> None:
    user = server.sign_up()
    client = open_client(user)
    client.expect("ready")
    user.http.post("/api/auth/logout", json={"refreshToken": user.refresh_token})
    assert client.expect("close")["data"] == {"code": 4401, "reason": "session ended"}
    assert client.expect("disconnect")["data"] == {"reason": "io server disconnect"}
    late = open_client(user).expect("connect_error")["data"]
    assert (late["closeCode"], late["code"]) == (4401, "unauthenticated")


@pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)
def test_socket_io_when_connections_are_too_many_then_it_tries_again(
    transports: list[str], start_server: Callable[..., ChatServer], open_client: Open
) -> None:
    user = start_server(MAX_CONNECTIONS_USER="1").sign_up()
    first = open_client(user, transports=["websocket"])
    first.expect("ready")
    second = open_client(user, transports=transports)
    second.expect("disconnect")
    first.command(close=True)
    assert second.expect("ready")["data"]["userId"] == user.id
    assert not [line for line in second.seen if line.get("event") in ("connect_error", "close")]


@pytest.mark.once  # a table of SQLite's goes away
@pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)
def test_socket_io_when_the_database_fails_then_it_tries_again(
    transports: list[str], start_server: Callable[..., ChatServer], open_client: Open
) -> None:
    server = start_server(DATABASE_URL="")
    user = server.sign_up()
    with contextlib.closing(sqlite3.connect(Path(server.env["DATA_DIR"]) / "chat.sqlite3")) as database:
        database.execute("ALTER TABLE accounts_session RENAME TO away")
        client = open_client(user, transports=transports)
        client.expect("disconnect")
        database.execute("ALTER TABLE away RENAME TO accounts_session")
    assert client.expect("ready")["data"]["userId"] == user.id
    assert not [line for line in client.seen if line.get("event") == "connect_error"]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)
def test_socket_io_when_an_event_is_too_large_then_closes_with_1009(
    transports: list[str], server: ChatServer, ben: ChatUser, open_client: Open
) -> None:
    for size in (MAX_FRAME_BYTES - 20, MAX_FRAME_BYTES + 1, 2 * MAX_FRAME_BYTES):
        client = open_client(ben, transports=transports)
        client.expect("ready")
        if len(transports) > 1:
            client.expect("upgrade")
        client.command(event="ping", args=[{"x": "a" * size}])
        assert client.expect("close")["data"] == {"code": 1009, "reason": "frame too big"}
        assert client.expect("disconnect")["data"] == {"reason": "io server disconnect"}


@pytest.mark.once  # locks SQLite's file
@pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)
def test_socket_io_when_handlers_wait_then_a_living_client_stays(
    transports: list[str], start_server: Callable[..., ChatServer], open_client: Open
) -> None:
    server = start_server(PING_SECONDS="1", DATABASE_URL="")
    user = server.sign_up()
    room_id = user.make_room()
    client = open_client(user, transports=transports)
    client.expect("ready")
    database = sqlite3.connect(Path(server.env["DATA_DIR"]) / "chat.sqlite3", isolation_level=None)
    with contextlib.closing(database):
        database.execute("BEGIN IMMEDIATE")
        for number in range(60):
            client.command(
                id=1000 + number, event="message:send", args=[{"roomId": room_id, "content": f"{number}"}]
            )
        # Longer than a client that does not answer pings may live, and than one that gets none waits for them.
        time.sleep(HELD_SECONDS)
        database.execute("ROLLBACK")
    seqs = [
        client.expect(lambda line, n=number: line.get("id") == 1000 + n)["answer"]["seq"]
        for number in range(60)
    ]
    assert seqs == list(range(1, 61))
    assert not [line for line in client.seen if line.get("event") in ("disconnect", "close")]


def test_socket_io_when_the_server_restarts_then_clients_reconnect(
    start_server: Callable[..., ChatServer], open_client: Open
) -> None:
    server = start_server()
    user = server.sign_up()
    clients = [open_client(user, transports=[transport]) for transport in ("websocket", "polling")]
    for client in clients:
        client.expect("ready")
    # A poll whose client has left.
    polling(server).close()
    with polling(server):
        server.send_signal(15)
        server.wait(WAIT_SECONDS)
    # A poll waits for news longer than the server waits for the poll.
    assert "timeout graceful shutdown exceeded" not in server.log.read_text()
    server.start(migrate=False)
    for client in clients:
        client.expect("disconnect")
        assert client.expect("ready")["data"]["userId"] == user.id


def test_socket_io_when_events_are_wrong_then_gets_errors_and_stays(ben: ChatUser, open_client: Open) -> None:
    client = open_client(ben, transports=["websocket"])
    client.expect("ready")
    unknown = client.emit("mesage:send", {})
    assert (unknown["error"]["code"], "message:send" in unknown["error"]["message"]) == (
        "unknown_event",
        True,
    )
    for args in ([{"content": 1}], ["text"], [{}, {}], [None], [{"content": "\ud800"}]):
        refused = client.emit("message:send", *args)
        assert refused["error"]["code"] == "invalid", args
    # Without an acknowledgement.
    client.command(event="typing", args=[{"roomId": "nowhere"}])
    assert client.expect("error:invalid")
    assert client.emit("ping")["serverTime"]
    assert not [line for line in client.seen if line.get("event") == "disconnect"]


@pytest.mark.once  # ten seconds, and nobody is looked up
async def test_socket_io_when_nobody_logs_in_then_the_transport_is_closed(server: ChatServer) -> None:
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    async with connect(url) as ws, asyncio.timeout(WAIT_SECONDS):
        await closed(ws)


def test_socket_io_when_another_origin_connects_then_is_refused(server: ChatServer) -> None:
    query = {"EIO": "4", "transport": "polling"}
    with server.http(Origin="https://evil.example") as http:
        assert http.get("/socket.io/", params=query).status_code == 400
    with server.http(Origin=server.base_url) as http:
        answer = http.get("/socket.io/", params=query)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, server.base_url)


def test_socket_io_when_used_then_neither_token_nor_text_is_in_the_log(
    server: ChatServer, ann: ChatUser, ben: ChatUser, open_client: Open
) -> None:
    client = open_client(ben, query={"token": ben.access_token})
    client.expect("ready")
    client.emit("message:send", {"toUserId": ann.id, "content": "a secret of mine"})
    client.command(close=True)
    client.expect("disconnect")
    log = server.log.read_text()
    assert "a secret of mine" not in log
    assert ben.access_token not in log


@pytest.mark.once  # a queue in memory
async def test_socket_io_when_a_client_takes_nothing_then_closes_with_4408(
    server: ChatServer, ann: ChatUser
) -> None:
    slow = server.sign_up()
    room_id = ann.make_room(slow)
    query = {"EIO": "4", "transport": "polling"}
    with server.http() as http:
        query["sid"] = json.loads(http.get("/socket.io/", params=query).text[1:])["sid"]
        http.post("/socket.io/", params=query, content="40" + json.dumps({"token": slow.access_token}))
        while "ready" not in http.get("/socket.io/", params=query).text:
            pass
        async with ann.connect() as client:
            for _ in range(250):
                await client.reply("message:send", {"roomId": room_id, "content": "é" * 4000})

        def closed() -> bool:
            return any(
                (record.get("route"), record.get("status"), record.get("userId"))
                == ("socket.io/", 4408, slow.id)
                for record in server.log_records()
            )

        await until(closed, "the connection is closed as a slow reader", poll_seconds=0.1)
