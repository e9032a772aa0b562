"""The log has one JSON object a line, and lets one follow a message from its sender to the sockets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatproject.logs import hide_tokens
from tests.kit.servers import ChatServer

Record = dict[str, Any]


@pytest.fixture
def logging_server(start_server: Callable[..., ChatServer], tmp_path: Path) -> ChatServer:
    return start_server(LOG_DIR=str(tmp_path / "logs"))


def wait_for(server: ChatServer, matches: Callable[[Record], bool]) -> Record:
    found: list[Record] = []

    def logged() -> bool:
        found[:] = [record for record in server.log_records() if matches(record)]
        return bool(found)

    server.wait_until(logged, "the record")
    return found[0]


def stored_record(server: ChatServer, request_id: str) -> tuple[Record, Record]:
    """The record of the writer that names the request, and its part about the message."""

    def matches(record: Record) -> bool:
        return request_id in [message["requestId"] for message in record.get("messages", [])]

    record = wait_for(server, matches)
    return record, next(message for message in record["messages"] if message["requestId"] == request_id)


async def test_message_when_sent_by_rest_then_followed_by_its_request_id(logging_server: ChatServer) -> None:
    alice, bob = logging_server.sign_up(), logging_server.sign_up()
    room = alice.make_room(bob)
    async with bob.connect() as socket:
        answer = alice.http.post(f"/api/rooms/{room}/messages", json={"content": "a very private sentence"})
        await socket.expect("message:receive")
        request_id = answer.headers["X-Request-ID"]
        _, stored = stored_record(logging_server, request_id)
        assert (stored["status"], stored["messageId"]) == ("stored", answer.json()["id"])
        place = f"room.{room}#1"
        assert stored["place"] in place
        delivered = wait_for(logging_server, lambda record: place in record.get("places", []))
        assert delivered["deliveries"] == 1
        access = wait_for(logging_server, lambda record: record.get("requestId") == request_id)
        assert {
            "timestamp",
            "level",
            "logger",
            "message",
            "userId",
            "ip",
            "route",
            "status",
            "durationMs",
        } <= set(access)
        assert (access["userId"], access["ip"], access["status"]) == (alice.id, "127.0.0.1", 201)
    assert "a very private sentence" not in logging_server.log.read_text()


async def test_message_when_sent_by_socket_then_followed_by_its_connection(
    logging_server: ChatServer,
) -> None:
    alice = logging_server.sign_up()
    room = alice.make_room()
    async with alice.connect() as socket:
        reply = await socket.reply("message:send", {"roomId": room, "content": "hello there"})
        await socket.error("message:edit", {"roomId": room, "messageId": room, "content": "x"})
        connection_id = socket.ready["connectionId"]
    _, stored = stored_record(logging_server, f"{connection_id}.1")
    assert stored["messageId"] == reply["serverMessageId"]
    refused = wait_for(logging_server, lambda record: record.get("event") == "message:edit")
    assert (refused["status"], refused["connectionId"]) == ("not_found", connection_id)
    ended = wait_for(logging_server, lambda record: record["message"] == "socket")
    assert ended["connectionId"] == connection_id
    assert (ended["route"], ended["frames"], ended["userId"]) == ("ws/chat/", 2, alice.id)


def test_files_when_full_then_rotate_and_hold_the_same_records(
    start_server: Callable[..., ChatServer], tmp_path: Path
) -> None:
    server = start_server(LOG_DIR=str(tmp_path), LOG_FILE_BYTES="8000", LOG_FILE_COUNT="2")
    user = server.sign_up()
    for _ in range(60):
        user.http.get("/api/users/me")
    files = sorted(tmp_path.glob("chat.log*"))
    assert [file.name for file in files] == ["chat.log", "chat.log.1", "chat.log.2"]
    assert all(file.stat().st_size <= 8500 for file in files)
    kept = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert kept
    assert all(record in server.log_records() for record in kept)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('GET /ws/chat/?token=abc.def&deviceId=1 "', 'GET /ws/chat/?token=[removed]&deviceId=1 "'),
        ("bad eyJhbGciOi.eyJzdWIiOi.c2ln here", "bad [removed] here"),
        ("token=abc", "token=[removed]"),
        ("nothing secret, no tokens", "nothing secret, no tokens"),
    ],
)
def test_hide_tokens_when_a_record_has_one_then_removed(text: str, shown: str) -> None:
    assert hide_tokens(text) == shown
