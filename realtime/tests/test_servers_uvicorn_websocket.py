"""Delivery over our protocol, plain uvicorn and daphne, and to peers that do not read. About a minute."""

import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.kit.raw_sockets import PING, frame, open_raw_socket
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

CONTENT = "x" * 4000
MAX_MESSAGES = 3_000
# Longer than two pings. No condition to wait for: nothing outside shows that the server has not read a pong.
HELD_SECONDS = 4


async def test_delivery_when_many_send_at_once_then_frames_keep_their_order(server: ChatServer):
    senders = [server.sign_up() for _ in range(4)]
    room_id = senders[0].make_room(*senders[1:])
    async with senders[0].connect() as watcher:

        async def send(sender: ChatUser) -> None:
            async with sender.connect() as client:
                for number in range(50):
                    data = {"roomId": room_id, "content": f"{number} {'é' * number * 20}"}
                    await client.send("message:send", data, ref=number)
                for number in range(50):
                    await client.expect(lambda frame, ref=number: frame.get("ref") == ref)

        await asyncio.gather(*(send(sender) for sender in senders))
        received = [(await watcher.expect("message:receive"))["data"] for _ in range(200)]
    assert [message["seq"] for message in received] == list(range(1, 201))
    for sender in senders:
        own = [message["content"] for message in received if message["from"] == sender.id]
        assert own == [f"{number} {'é' * number * 20}" for number in range(50)]


async def test_text_when_it_is_not_utf8_then_closes_with_1007(server: ChatServer):
    user = server.sign_up()
    async with user.connect() as client:
        # The fragments divide a character.
        await client.ws.send([b'{"event": "ping", "ref": "\xc3', b'\xa9"}'], text=True)
        assert (await client.expect("reply"))["ref"] == "é"
    for text in (b"\xff", [b'{"event": "ping", "ref": "\xc3', b'"}']):
        async with user.connect() as client:
            await client.ws.send(text, text=True)
            assert await client.close_code() == 1007
    assert [record for record in server.log_records() if "UTF-8" in record["message"]] == []


async def test_frames_when_in_the_packet_of_the_handshake_then_are_answered(server: ChatServer):
    first = frame(b"", PING) + frame(b'{"event": "ping", "ref": 1}')
    # The pong must not come in front of the 101, which the helper reads first.
    reader, writer = await open_raw_socket(server.sign_up(), first_frames=first)
    async with asyncio.timeout(60):
        await reader.readuntil(b'"event":"reply"')
    writer.close()


@pytest.mark.parametrize("command", ["uvicorn", "daphne", "runserver"])
async def test_delivery_when_there_is_no_extension_then_works_over_asgi(
    start_server: Callable[..., ChatServer], command: str
):
    server = start_server(command=command)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    async with alice.connect() as writer, bob.connect() as reader:
        for number in range(20):
            await writer.send("message:send", {"roomId": room_id, "content": str(number)})
        received = [(await reader.expect("message:receive"))["data"]["content"] for _ in range(20)]
        assert received == [str(number) for number in range(20)]
        assert (
            alice.http.post("/api/auth/logout", json={"refreshToken": alice.refresh_token}).status_code == 204
        )
        assert await writer.close_code() == 4401


@pytest.mark.once  # buffers of the kernel
async def test_delivery_when_a_peer_does_not_read_then_only_it_is_closed(
    start_server: Callable[..., ChatServer],
):
    server = start_server()
    alice, stuck, reader = server.sign_up("alice"), server.sign_up("stuck"), server.sign_up("reader")
    room_id = alice.make_room(stuck, reader)
    async with alice.connect() as writer, reader.connect() as neighbour, _stuck(stuck) as ws:
        await ws.recv()
        sent = 0
        while not _cut(server):
            assert sent < MAX_MESSAGES, "the server did not close the peer that does not read"
            sent += 1
            await writer.reply("message:send", {"roomId": room_id, "content": CONTENT})
            assert (await neighbour.expect("message:receive"))["data"]["seq"] == sent
        seqs, code = await _read_all(ws)
        assert code == 4408
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) < sent
        await writer.reply("message:send", {"roomId": room_id, "content": "and on"})
        assert (await neighbour.expect("message:receive"))["data"]["seq"] == sent + 1


def _stuck(user: ChatUser) -> connect:
    """A client that reads only on request, with a small receive buffer in the kernel."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    peer.connect(("127.0.0.1", user.server.port))
    peer.setblocking(False)
    headers = {"Authorization": f"Bearer {user.access_token}"}
    return connect(user.server.ws_url, sock=peer, additional_headers=headers, compression=None, max_queue=1)


async def _read_all(ws: ClientConnection) -> tuple[list[int], int | None]:
    """The seqs of all queued messages, and the code that the server closed with. Each frame must be whole."""
    seqs = []
    try:
        while True:
            frame = json.loads(await ws.recv())
            if frame["event"] == "message:receive":
                assert frame["data"]["content"] == CONTENT
                seqs.append(frame["data"]["seq"])
    except ConnectionClosed as closed:
        return seqs, closed.rcvd.code if closed.rcvd else None


def _cut(server: ChatServer) -> bool:
    return any(record["message"] == "a peer reads too slowly" for record in server.log_records())


@pytest.mark.once  # locks SQLite's file
async def test_ping_when_the_pong_waits_behind_frames_then_the_peer_stays(
    start_server: Callable[..., ChatServer],
):
    server = start_server(PING_SECONDS="1", LIMIT_FRAMES="10000/1s", DATABASE_URL="")
    user = server.sign_up()
    room_id = user.make_room()
    async with user.connect() as client:
        await client.reply("message:send", {"roomId": room_id, "content": "first"})
        # The sends wait for the lock. They are more than the server reads ahead.
        database = sqlite3.connect(Path(server.env["DATA_DIR"]) / "chat.sqlite3", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        for number in range(200):
            data = {"roomId": room_id, "content": f"{number} {CONTENT[:1000]}"}
            await client.send("message:send", data, ref=number)
        await asyncio.sleep(HELD_SECONDS)
        database.execute("ROLLBACK")
        database.close()
        for number in range(200):
            answer = await client.expect(lambda frame, ref=number: frame.get("ref") == ref, seconds=60)
            assert answer["event"] == "reply", answer
