"""Each server event reaches exactly the connections that its audience declares. About fifteen seconds.

Five connections listen while one user, the subject, causes the event or is the user it concerns.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chatproject.routing import registry
from realtime.wire.events import Audience
from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer

HEARD_BY = {
    Audience.CONNECTION: {"subject"},
    Audience.USER: {"subject", "other device"},
    Audience.MEMBERS: {"subject", "other device", "member"},
    Audience.OTHER_MEMBERS: {"member"},
    Audience.PEERS: {"member"},
}


class Scene:
    """A room of an owner who has no connection, and the listeners' connections by name."""

    def __init__(self, server: ChatServer) -> None:
        names = ("owner", "subject", "member", "former member", "outsider")
        self.users = {name: server.sign_up(name.replace(" ", "_")) for name in names}
        self.owner, self.subject = self.users["owner"], self.users["subject"]
        self.room_id = self.owner.make_room(self.subject, self.users["member"], self.users["former member"])
        # With READY_ROOMS=1 it does not come with `ready`.
        self.owner.make_room(self.subject)
        answer = self.owner.http.delete(f"{self.path}/members/{self.users['former member'].id}")
        assert answer.status_code == 204, answer.text
        self.clients: dict[str, ChatSocketClient] = {}
        self._first_frames: dict[str, int] = {}

    @property
    def path(self) -> str:
        return f"/api/rooms/{self.room_id}"

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        """The subject connects last, so that all others could receive what that causes."""
        async with contextlib.AsyncExitStack() as stack:
            for name in ("member", "former member", "outsider", "other device", "subject"):
                user = self.users.get(name, self.subject)
                client = self.clients[name] = await stack.enter_async_context(user.connect())
                if name != "subject":
                    await client.all_rooms()
                self._first_frames[name] = 0 if name == "subject" else len(client.frames)
            yield

    async def heard_by(self, event: str) -> set[str]:
        """The listeners that received the event since they were connected."""
        for name in HEARD_BY[registry.server_events[event].audience]:
            if not self._has_heard(name, event):
                try:
                    await self.clients[name].expect(event)
                except AssertionError:  # the caller shows who did not
                    break
        for client in self.clients.values():
            await client.read_all()
        return {name for name in self.clients if self._has_heard(name, event)}

    def _has_heard(self, name: str, event: str) -> bool:
        frames = self.clients[name].frames[self._first_frames[name] :]
        return any(frame["event"] == event for frame in frames)

    async def ask(self, event: str, **data: Any) -> Any:
        return await self.clients["subject"].reply(event, {"roomId": self.room_id, **data})

    async def send(self) -> str:
        return str((await self.ask("message:send", content="x"))["serverMessageId"])


async def connect(scene: Scene) -> None:
    """The subject's connections are open already."""


async def send(scene: Scene) -> None:
    await scene.send()


async def edit(scene: Scene) -> None:
    await scene.ask("message:edit", messageId=await scene.send(), content="y")


async def delete(scene: Scene) -> None:
    await scene.ask("message:delete", messageId=await scene.send())


async def read(scene: Scene) -> None:
    scene.owner.send(scene.room_id, "x")
    await scene.ask("message:ack", seq=1, status="read")


async def type_text(scene: Scene) -> None:
    await scene.ask("typing", isTyping=True)


async def join_another_room(scene: Scene) -> None:
    scene.owner.make_room(scene.subject)


async def rename(scene: Scene) -> None:
    assert scene.owner.http.patch(scene.path, json={"name": "new"}).status_code == 200


async def promote(scene: Scene) -> None:
    path = f"{scene.path}/members/{scene.subject.id}"
    assert scene.owner.http.patch(path, json={"role": "admin"}).status_code == 200


async def leave(scene: Scene) -> None:
    assert scene.owner.http.delete(f"{scene.path}/members/{scene.subject.id}").status_code == 204


# What causes each server event.
CAUSES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "ready": connect,
    "ready:rooms": connect,
    "presence:update": connect,
    "message:receive": send,
    "message:updated": edit,
    "message:deleted": delete,
    "message:ack": read,
    "typing": type_text,
    "room:added": join_another_room,
    "room:updated": rename,
    "room:member": promote,
    "room:removed": leave,
}


@pytest.mark.parametrize("event", registry.server_events)
async def test_server_event_when_caused_then_reaches_its_audience_alone(
    server: ChatServer, start_server: Callable[..., ChatServer], event: str
) -> None:
    assert event in CAUSES, f"{event} is new: say in CAUSES what causes it"
    if event == "ready:rooms":
        server = start_server(READY_ROOMS="1")
    scene = Scene(server)
    async with scene.listen():
        await CAUSES[event](scene)
        assert await scene.heard_by(event) == HEARD_BY[registry.server_events[event].audience]
