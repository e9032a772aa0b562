"""One flow in which a socket gets every event of the server, each exactly in the shape its document gives; once
on uvicorn and once on daphne. About six seconds."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chatproject.routing import registry
from realtime.wire.protocol import to_builtins
from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser


def assert_exact(data: Any, shape: Any, what: str) -> None:
    """`data` is of `shape`, with neither a field more nor one less."""
    assert to_builtins(msgspec.convert(data, shape, strict=False)) == data, what


async def receive_everything(server: ChatServer) -> tuple[list[ChatSocketClient], dict[str, Any]]:
    """The clients with all frames that they received, and the replies by event."""
    ann, ben = server.sign_up("ann"), server.sign_up("ben")
    replies: dict[str, Any] = {}

    async def ask(client: ChatSocketClient, event: str, data: dict[str, Any]) -> Any:
        replies[event] = await client.reply(event, data)
        return replies[event]

    async with ben.connect() as bens:
        room_id = ben.make_room(ann, name="shapes")
        ben.make_room(ann, name="the other")
        async with ann.connect() as anns:
            await bens.expect("presence:update", seconds=20)
            sent = await ask(
                anns, "message:send", {"roomId": room_id, "content": "x", "clientMessageId": "k"}
            )
            message = {"roomId": room_id, "messageId": sent["serverMessageId"]}
            await ask(bens, "message:ack", {**message, "status": "read"})
            await ask(anns, "message:edit", {**message, "content": "y"})
            await ask(anns, "typing", {"roomId": room_id, "isTyping": True})
            await ask(anns, "message:delete", message)
            await ask(anns, "presence:query", {"userIds": [ben.id]})
            await ask(anns, "resume", {"rooms": {room_id: 0}, "since": anns.ready["serverTime"]})
            await ask(anns, "auth:refresh", {"token": ann.login().access_token})
            await ask(anns, "ping", {})
            await asyncio.to_thread(change_room, ben, ann, room_id)
            await bens.expect("room:removed")
            await bens.read_all()
            return [anns, bens], replies


def change_room(ben: ChatUser, ann: ChatUser, room_id: str) -> None:
    for path, body in (("", {"name": "new"}), (f"/members/{ann.id}", {"role": "admin"})):
        assert ben.http.patch(f"/api/rooms/{room_id}{path}", json=body).status_code == 200
    assert ben.http.delete(f"/api/rooms/{room_id}").status_code == 204


@pytest.mark.parametrize("command", ["serve", "daphne"])
async def test_event_or_reply_when_it_comes_then_has_its_documented_shape(
    start_server: Callable[..., ChatServer], command: str
) -> None:
    server = start_server(command=command, READY_ROOMS="1")
    clients, replies = await receive_everything(server)
    received = {frame["event"]: frame["data"] for client in clients for frame in client.frames}
    assert set(received) - {"reply"} == set(registry.server_events)
    for client in clients:
        for frame in client.frames:
            if frame["event"] != "reply":
                assert set(frame) == {"event", "data"}
                assert_exact(frame["data"], registry.server_events[frame["event"]].data, frame["event"])
    assert set(replies) == set(registry.events)
    for event, data in replies.items():
        assert_exact(data, registry.events[event].reply, event)
