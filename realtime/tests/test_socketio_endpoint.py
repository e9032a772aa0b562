"""Clients of the stock socket.io-client, in processes of their own, as the guide writes them. About 40 seconds."""

import asyncio
import contextlib
import json
import queue
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.kit.paths import ROOT
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

WAIT_SECONDS = 30.0
CLIENT = ROOT / "realtime" / "tests" / "guide.mjs"


class Guide:
    """A node process around one stock client."""

    def __init__(self, server: ChatServer, token: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            ["node", str(CLIENT), server.base_url, token, json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seen: list[dict[str, Any]] = []
        self._unread: list[dict[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._ids = count(1)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def command(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def emit(self, event: str, *args: Any) -> Any:
        """Emit with an acknowledgement, and return it."""
        number = next(self._ids)
        self.command(id=number, event=event, args=args)
        return self.expect(lambda line: line.get("id") == number)["answer"]

    def expect(self, wanted: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        matches = (lambda line: line.get("event") == wanted) if isinstance(wanted, str) else wanted
        for line in self._unread:
            if matches(line):
                self._unread.remove(line)
                return line
        while True:
            try:
                line = json.loads(self._lines.get(timeout=WAIT_SECONDS))
            except queue.Empty:
                raise AssertionError(f"{wanted} did not come; seen were {self.seen[-10:]}") from None
            self.seen.append(line)
            if matches(line):
                return line
            self._unread.append(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()


Open = Callable[..., Guide]


@pytest.fixture
def open_guide(node: Any) -> Iterator[Open]:
    opened: list[Guide] = []

    def open_one(user: ChatUser, **options: Any) -> Guide:
        opened.append(Guide(user.server, options.pop("token", user.access_token), **options))
        return opened[-1]

    yield open_one
    for guide in opened:
        guide.stop()


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


def test_guide_when_two_clients_use_two_processes_then_they_talk(
    redis_server: RedisServer, start_server: Callable[..., ChatServer], open_guide: Open
) -> None:
    here = start_server(REDIS_URL=redis_server.url, RATE_LIMITS="on", LIMIT_MESSAGES_USER="3/1h")
    there = start_server(REDIS_URL=redis_server.url, DATA_DIR=here.env["DATA_DIR"])
    alice, bob = here.sign_up("alice"), here.sign_up("bob").on(there)
    one, two = open_guide(alice), open_guide(bob, transports=["websocket"])
    for guide, user in ((one, alice), (two, bob)):
        assert guide.expect("ready")["data"]["userId"] == user.id

    sent = one.emit("message:send", {"toUserId": bob.id, "content": "Hello!", "clientMessageId": "a-1"})
    assert (sent["seq"], sent["duplicate"], sent["clientMessageId"]) == (1, False, "a-1")
    room_id = sent["roomId"]
    for guide in (one, two):
        message = guide.expect("message:receive")["data"]
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


def test_socket_io_when_a_socket_of_the_other_kind_is_in_the_room_then_both_hear_the_same(
    ann: ChatUser, ben: ChatUser, open_guide: Open
) -> None:
    room_id = ann.make_room(ben)
    guide = open_guide(ben)
    assert guide.expect("upgrade")["data"] == {"transport": "websocket"}
    assert room_id in guide.expect("ready")["data"]["rooms"]
    ann.send(room_id, "by REST")
    heard = guide.expect("message:receive")["data"]
    assert heard == ben.history(room_id)[0]
    missed = guide.emit("resume", {"rooms": {room_id: 0}})
    assert missed["rooms"] == {room_id: {"complete": True, "from": 1, "through": 1}}
    assert guide.expect("message:receive")["data"] == heard


def test_socket_io_when_only_polling_is_left_then_it_works_too(
    ann: ChatUser, ben: ChatUser, open_guide: Open
) -> None:
    guide = open_guide(ben, transports=["polling"])
    guide.expect("ready")
    for number in range(40):  # more in one POST than python-engineio takes by itself
        guide.command(event="ping", args=[{}])
        guide.command(id=1000 + number, event="ping", args=[{}])
    for number in range(40):
        assert guide.expect(lambda line, n=number: line.get("id") == 1000 + n)["answer"]["serverTime"]
    ann.send(ann.make_room(ben), "polled")
    assert guide.expect("message:receive")["data"]["content"] == "polled"


def test_socket_io_when_the_token_is_bad_then_connect_error_says_so(
    server: ChatServer, ben: ChatUser, open_guide: Open
) -> None:
    for token in ("", "nonsense"):
        error = open_guide(ben, token=token, transports=["websocket"]).expect("connect_error")["data"]
        assert error["code"] == "unauthenticated"
        assert "token" in error["message"]
    header = {"extraHeaders": {"Authorization": f"Bearer {ben.access_token}"}}
    assert open_guide(ben, token="", **header).expect("ready")["data"]["userId"] == ben.id


def test_socket_io_when_the_session_ends_then_it_is_told_and_does_not_come_back(
    server: ChatServer, open_guide: Open
) -> None:
    user = server.sign_up()
    guide = open_guide(user)
    guide.expect("ready")
    user.http.post("/api/auth/logout", json={"refreshToken": user.refresh_token})
    assert guide.expect("close")["data"] == {"code": 4401, "reason": "session ended"}
    assert guide.expect("disconnect")["data"] == {"reason": "io server disconnect"}
    late = open_guide(user).expect("connect_error")["data"]
    assert late["closeCode"] == 4401


def test_socket_io_when_the_server_restarts_then_the_client_comes_back_by_itself(
    start_server: Callable[..., ChatServer], open_guide: Open
) -> None:
    server = start_server()
    user = server.sign_up()
    guides = [open_guide(user, transports=[transport]) for transport in ("websocket", "polling")]
    for guide in guides:
        guide.expect("ready")
    polling(server).close()  # one that has gone
    with polling(server):
        server.send_signal(15)
        server.wait(WAIT_SECONDS)
    # Polls wait for news for longer than the server waits for them.
    assert "timeout graceful shutdown exceeded" not in server.log.read_text()
    server.start(migrate=False)
    for guide in guides:
        guide.expect("disconnect")
        assert guide.expect("ready")["data"]["userId"] == user.id


def test_socket_io_when_events_are_wrong_then_errors_teach_and_the_connection_stays(
    ben: ChatUser, open_guide: Open
) -> None:
    guide = open_guide(ben, transports=["websocket"])
    guide.expect("ready")
    unknown = guide.emit("mesage:send", {})
    assert (unknown["error"]["code"], "message:send" in unknown["error"]["message"]) == (
        "unknown_event",
        True,
    )
    for args in ([{"content": 1}], ["text"], [{}, {}], [None], [{"content": "\ud800"}]):
        refused = guide.emit("message:send", *args)
        assert refused["error"]["code"] == "invalid", args
    guide.command(event="typing", args=[{"roomId": "nowhere"}])  # without an acknowledgement
    assert guide.expect("error:invalid")
    assert guide.emit("ping")["serverTime"]
    assert not [line for line in guide.seen if line.get("event") == "disconnect"]


async def test_socket_io_when_packets_are_none_then_each_ends_its_connection_and_nothing_else(
    server: ChatServer, ben: ChatUser
) -> None:
    logged = len(server.log.read_text())
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    binary_event, garbage = (
        '451-["x",{"_placeholder":true,"num":0}]',
        ["", "x", "9", "4", "4x", "47", "42[", "42{}"],
    )
    for packet in (
        *garbage,
        binary_event,
        '42["disconnect"]',
        '42["connect",1]',
        "42" + "[" * 20_000,
        b"binary",
    ):
        async with connect(url) as ws, asyncio.timeout(WAIT_SECONDS):
            await ws.recv()
            await ws.send("40" + json.dumps({"token": ben.access_token}))
            while "ready" not in str(await ws.recv()):
                pass
            await ws.send(packet)
            await closed(ws)
    assert "Traceback" not in server.log.read_text()[logged:]
    async with ben.connect() as client:
        await client.reply("ping")


@pytest.mark.once  # ten seconds, and nobody is looked up
async def test_socket_io_when_nobody_logs_in_then_the_transport_is_closed(server: ChatServer) -> None:
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    async with connect(url) as ws, asyncio.timeout(WAIT_SECONDS):
        await closed(ws)


def test_socket_io_when_a_strangers_page_asks_then_it_is_refused(server: ChatServer) -> None:
    query = {"EIO": "4", "transport": "polling"}
    with server.http(Origin="https://evil.example") as http:
        assert http.get("/socket.io/", params=query).status_code == 400
    with server.http(Origin=server.base_url) as http:
        answer = http.get("/socket.io/", params=query)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, server.base_url)


def test_socket_io_when_used_then_neither_token_nor_text_is_in_the_log(
    server: ChatServer, ann: ChatUser, ben: ChatUser, open_guide: Open
) -> None:
    guide = open_guide(ben, query={"token": ben.access_token})
    guide.expect("ready")
    guide.emit("message:send", {"toUserId": ann.id, "content": "a secret of mine"})
    guide.command(close=True)
    guide.expect("disconnect")
    log = server.log.read_text()
    assert "a secret of mine" not in log
    assert ben.access_token not in log


@pytest.mark.once  # a queue in memory
async def test_socket_io_when_a_client_takes_nothing_then_it_is_closed_as_a_slow_reader(
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
