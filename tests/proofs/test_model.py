"""The model test: any interleaving of what three users do in a room, against a reference that fits on a page.

Each answer is what the model foretells, and what each client made of an old snapshot and the events since is what a
fresh snapshot says. Steps go over the user's socket, or over REST where they are offline. The suite runs few
examples, the same ones each time, in about 20 seconds of a core; `make model EXAMPLES=500 PROCESSES=2` runs others.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.clients import ChatSocketClient, Frame
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer, chat_servers
from tests.kit.users import ChatUser
from tests.kit.waiting import until

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
PROCESSES = int(os.environ.get("MODEL_PROCESSES", "1"))
CONVERGE_SECONDS = 30.0
USERS = 3  # 0 owns the room and stays in it; 1 and 2 come and go

user = st.integers(0, USERS - 1)
guest = st.integers(1, USERS - 1)
text = st.sampled_from(["one", "two", "drei <b>&", "\U0001f600 4"])
key = st.sampled_from([None, "k1", "k2", "k3"])
place = st.integers(0, 30)  # a message, counted modulo those there are
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), user, key, text),
        st.tuples(st.just("send"), user, key, text),
        st.tuples(st.just("send_at_once"), st.lists(user, min_size=2, max_size=6), text),
        st.tuples(st.just("send_twice_at_once"), user, st.sampled_from(["k1", "k4"]), text),
        st.tuples(st.just("edit"), user, place, text),
        st.tuples(st.just("delete"), user, place),
        st.tuples(st.just("ack"), user, place, st.sampled_from(["delivered", "read"])),
        st.tuples(st.just("rename"), user, text),
        st.tuples(st.just("add"), user, guest),
        st.tuples(st.just("remove"), user, guest),
        st.tuples(st.just("set_role"), guest, st.sampled_from(["admin", "member"])),
        st.tuples(st.just("disconnect"), user),
        st.tuples(st.just("reconnect"), user),
        st.tuples(st.just("look")),
    ),
    min_size=10,
    max_size=30,
)


# --- the reference ------------------------------------------------------------------------------------------


@dataclass
class Member:
    role: str = "member"
    delivered: int = 0
    read: int = 0


@dataclass
class Message:
    sender: str
    content: str
    edited: bool = False
    deleted: bool = False


@dataclass
class Model:
    """What the contract says a room is, and what it answers: None where a step succeeds, else the error's code."""

    name: str
    members: dict[str, Member]
    messages: list[Message] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def send(self, sender: str, content: str, key: str | None) -> str | None:
        if sender not in self.members:
            return "not_found"
        if key is not None and (sender, key) in self.keys:
            return None if self.keys[sender, key][1] == content else "conflict"
        self.messages.append(Message(sender, content))
        if key is not None:
            self.keys[sender, key] = (len(self.messages), content)
        self.advance(sender, len(self.messages), len(self.messages))
        return None

    def advance(self, user_id: str, delivered: int, read: int) -> None:
        member = self.members[user_id]
        member.delivered, member.read = max(member.delivered, delivered), max(member.read, read)

    def _change(self, actor: str, message: Message, *, may: bool) -> str | None:
        if actor not in self.members or message.deleted:
            return "not_found"
        return None if may else "forbidden"

    def edit(self, actor: str, message: Message, content: str) -> str | None:
        if refused := self._change(actor, message, may=message.sender == actor):
            return refused
        message.content, message.edited = content, True
        return None

    def delete(self, actor: str, message: Message) -> str | None:
        if refused := self._change(actor, message, may=message.sender == actor or self.manages(actor)):
            return refused
        message.content, message.deleted = "", True
        return None

    def ack(self, actor: str, seq: int, status: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if not 1 <= seq <= len(self.messages):
            return "invalid"
        self.advance(actor, seq, seq if status == "read" else 0)
        return None

    def manages(self, actor: str) -> bool:
        return actor in self.members and self.members[actor].role != "member"

    def rename(self, actor: str, name: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if not self.manages(actor):
            return "forbidden"
        self.name = name
        return None

    def add(self, actor: str, user_id: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if not self.manages(actor):
            return "forbidden"
        if user_id in self.members:
            return "conflict"
        head = len(self.messages)
        self.members[user_id] = Member("member", head, head)
        return None

    def remove(self, actor: str, user_id: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if actor != user_id:
            if not self.manages(actor):
                return "forbidden"
            if user_id not in self.members:
                return "not_found"
            if self.members[actor].role == self.members[user_id].role == "admin":
                return "forbidden"
        del self.members[user_id]
        return None

    def set_role(self, user_id: str, role: str) -> str | None:
        """By the owner."""
        if user_id not in self.members:
            return "not_found"
        self.members[user_id].role = role
        return None

    def view(self, user_id: str) -> dict[str, Any] | None:
        if user_id not in self.members:
            return None
        return {
            "name": self.name,
            "members": {
                member_id: (member.role, member.delivered, member.read)
                for member_id, member in self.members.items()
            },
            "messages": [(m.sender, m.content, m.edited, m.deleted) for m in self.messages],
        }


# --- a client -----------------------------------------------------------------------------------------------


class Device:
    """What a user's client knows of the room: a snapshot when it first hears of it, and from then on events."""

    def __init__(self, user: ChatUser, room_id: str) -> None:
        self.user, self.room_id = user, room_id
        self.room: dict[str, Any] | None = None
        self.messages: dict[int, dict[str, Any]] = {}
        self.since = ""
        self.client: ChatSocketClient | None = None
        self._stack = contextlib.AsyncExitStack()

    @property
    def through(self) -> int:
        return next(seq for seq in itertools.count() if seq + 1 not in self.messages)

    async def connect(self) -> None:
        if self.client is not None:
            return
        self.client = await self._stack.enter_async_context(self.user.connect())
        ready = self.client.ready
        if self.room_id not in ready["rooms"]:
            self.room = None
        elif self.room is None:
            self.load()
        else:  # members and marks anew, messages by what was missed
            self.room = self.fetch()
            await self.resume()
        self.since = self.since or ready["serverTime"]

    async def disconnect(self) -> None:
        await self._stack.aclose()
        self.client = None

    async def resume(self) -> None:
        assert self.client is not None
        wanted = {"rooms": {self.room_id: self.through}, "since": self.since}
        reply = await self.client.reply("resume", wanted)
        if self.room_id in reply["rooms"]:
            assert reply["rooms"][self.room_id]["complete"], reply
        self.since = reply["serverTime"]

    def fetch(self) -> dict[str, Any] | None:
        answer = self.user.http.get(f"/api/rooms/{self.room_id}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        detail = answer.json()
        return detail | {"members": {member["userId"]: member for member in detail["members"]}}

    def load(self) -> None:
        self.room = self.fetch()
        if self.room is not None:
            self.messages = {message["seq"]: message for message in self.user.history(self.room_id)}

    async def catch_up(self) -> None:
        assert self.client is not None
        for frame in await self.client.settle():
            self.apply(frame)
        if self.room is not None and self.messages and self.through < max(self.messages):
            await self.resume()

    def apply(self, frame: Frame) -> None:
        event, data = frame["event"], frame["data"]
        if data.get("roomId", data.get("id")) != self.room_id:
            return  # of a room that an example before this one made: delivery is at least once
        if event == "room:added":
            self.load()
        elif event == "room:removed":
            self.room = None
        elif self.room is not None and event in ("message:receive", "message:updated", "message:deleted"):
            self._apply_message(event, data)
        elif self.room is not None and event == "room:updated":
            self.room |= {"name": data["name"], "meta": data["meta"]}
        elif self.room is not None and event == "room:member":
            if data["member"] is None:
                self.room["members"].pop(data["userId"], None)
            else:
                before = self.room["members"].get(data["userId"], data["member"])
                self.room["members"][data["userId"]] = data["member"]
                self._mark(data["userId"], before["deliveredSeq"], before["readSeq"])
        elif self.room is not None and event == "message:ack":
            self._mark(data["userId"], data["deliveredSeq"], data["readSeq"])

    def _apply_message(self, event: str, data: dict[str, Any]) -> None:
        seq = data["seq"]
        if event == "message:receive":
            self.messages.setdefault(seq, data)
            self._mark(data["from"], seq, seq)  # whoever writes has read what is above
        elif seq in self.messages and _age(data) >= _age(self.messages[seq]):
            self.messages[seq] = data

    def _mark(self, user_id: str, delivered: int, read: int) -> None:
        assert self.room is not None
        if member := self.room["members"].get(user_id):
            member["deliveredSeq"] = max(member["deliveredSeq"], delivered)
            member["readSeq"] = max(member["readSeq"], read)

    def snapshot(self) -> dict[str, Any] | None:
        """All that REST says of the room, put together from what this client was told."""
        if self.room is None:
            return None
        members, last = self.room["members"], max(self.messages, default=0)
        return {
            "name": self.room["name"],
            "role": members[self.user.id]["role"],
            "lastSeq": last,
            "unreadCount": last - members[self.user.id]["readSeq"],
            "lastMessage": self.messages.get(last),
            "members": members,
            "messages": [self.messages[seq] for seq in sorted(self.messages)],
        }

    def fresh_snapshot(self) -> dict[str, Any] | None:
        room = self.fetch()
        if room is None:
            return None
        shown = {
            name: room[name] for name in ("name", "role", "lastSeq", "unreadCount", "lastMessage", "members")
        }
        return shown | {"messages": self.user.history(self.room_id)}


def _age(message: dict[str, Any]) -> tuple[bool, str]:
    return message["type"] == "deleted", message["editedAt"] or ""


def _view(snapshot: dict[str, Any] | None) -> dict[str, Any] | None:
    """A snapshot without what the model does not know: ids and times."""
    if snapshot is None:
        return None
    assert [message["seq"] for message in snapshot["messages"]] == list(range(1, snapshot["lastSeq"] + 1))
    return {
        "name": snapshot["name"],
        "members": {
            user_id: (member["role"], member["deliveredSeq"], member["readSeq"])
            for user_id, member in snapshot["members"].items()
        },
        "messages": [
            (
                message["from"],
                message["content"],
                message["editedAt"] is not None,
                message["type"] == "deleted",
            )
            for message in snapshot["messages"]
        ],
    }


# --- the steps ----------------------------------------------------------------------------------------------


class Play:
    """One example: takes each step in the model and on the server, and compares."""

    def __init__(self, users: list[ChatUser]) -> None:
        self.users = users
        self.room_id = users[0].make_room(users[1], name="room")
        self.path = f"/api/rooms/{self.room_id}"
        self.model = Model("room", {users[0].id: Member("owner"), users[1].id: Member()})
        self.devices = [Device(user, self.room_id) for user in users]

    async def run(self, steps: list[tuple[Any, ...]]) -> None:
        try:
            for device in self.devices:
                await device.connect()
            for name, *arguments in steps:
                await getattr(self, name)(*arguments)
            for device in self.devices:
                await device.connect()
            await self.look()
        finally:
            for device in self.devices:
                await device.disconnect()

    async def _do(
        self, actor: int, method: str, path: str, event: str, body: dict[str, Any], **ids: str
    ) -> Any:
        """Over the socket of whoever has one, else over REST: the data of the answer, or an error's code."""
        client = self.devices[actor].client
        if client is not None and event:
            frame = await client.request(event, {"roomId": self.room_id, **ids, **body})
            return frame["data"] if frame["event"] == "reply" else frame["event"].removeprefix("error:")
        http = self.users[actor].http
        answer = await asyncio.to_thread(http.request, method, self.path + path, json=body or None)
        if answer.status_code >= 400:
            return answer.json()["error"]["code"]
        return answer.json() if answer.content else {}

    @staticmethod
    def _expect(answer: Any, foretold: str | None) -> None:
        code = answer if isinstance(answer, str) else None
        assert code == foretold, (answer, foretold)

    async def _send(self, actor: int, content: str, key: str | None) -> Any:
        body = {"content": content} | ({"clientMessageId": key} if key else {})
        return await self._do(actor, "POST", "/messages", "message:send", body)

    async def send(self, actor: int, key: str | None, content: str) -> None:
        user_id = self.users[actor].id
        foretold = self.model.send(user_id, content, key)
        answer = await self._send(actor, content, key)
        self._expect(answer, foretold)
        if foretold is None:
            seq = self.model.keys[user_id, key][0] if key else len(self.model.messages)
            assert answer["seq"] == seq

    async def send_at_once(self, actors: list[int], content: str) -> None:
        """Nobody knows the order before; but all are stored, in the order that the answers say."""
        members = sorted({actor for actor in actors if self.users[actor].id in self.model.members})
        answers = await asyncio.gather(*(self._send(actor, content, None) for actor in members))
        for answer, actor in sorted(zip(answers, members, strict=True), key=lambda pair: pair[0]["seq"]):
            self.model.send(self.users[actor].id, content, None)
            assert answer["seq"] == len(self.model.messages)

    async def send_twice_at_once(self, actor: int, key: str, content: str) -> None:
        """A retry that overtakes its first try, here over REST and socket together."""
        body = {"content": content, "clientMessageId": key}
        rest = asyncio.to_thread(self.users[actor].http.post, f"{self.path}/messages", json=body)
        over_rest, answer = await asyncio.gather(rest, self._send(actor, content, key))
        foretold = self.model.send(self.users[actor].id, content, key)
        self._expect(answer, foretold)
        if foretold is None:
            seq = self.model.keys[self.users[actor].id, key][0]
            assert over_rest.json()["seq"] == answer["seq"] == seq
        else:
            assert over_rest.json()["error"]["code"] == foretold

    def _message(self, number: int) -> tuple[Message, str] | None:
        """One of the messages, and its id, which the room's owner knows."""
        if not self.model.messages:
            return None
        seq = number % len(self.model.messages) + 1
        return self.model.messages[seq - 1], self.users[0].history(self.room_id, after=seq - 1, limit=1)[0][
            "id"
        ]

    async def edit(self, actor: int, number: int, content: str) -> None:
        if found := self._message(number):
            message, message_id = found
            foretold = self.model.edit(self.users[actor].id, message, content)
            path, ids = f"/messages/{message_id}", {"messageId": message_id}
            answer = await self._do(actor, "PATCH", path, "message:edit", {"content": content}, **ids)
            self._expect(answer, foretold)

    async def delete(self, actor: int, number: int) -> None:
        if found := self._message(number):
            message, message_id = found
            foretold = self.model.delete(self.users[actor].id, message)
            path, ids = f"/messages/{message_id}", {"messageId": message_id}
            self._expect(await self._do(actor, "DELETE", path, "message:delete", {}, **ids), foretold)

    async def ack(self, actor: int, number: int, status: str) -> None:
        if self.devices[actor].client is not None:  # REST has no ack
            seq = number % (len(self.model.messages) + 2)  # 0 and one beyond the last are none
            foretold = self.model.ack(self.users[actor].id, seq, status)
            answer = await self._do(actor, "", "", "message:ack", {"seq": seq, "status": status})
            self._expect(answer, foretold)

    async def rename(self, actor: int, name: str) -> None:
        foretold = self.model.rename(self.users[actor].id, name)
        self._expect(await self._do(actor, "PATCH", "", "", {"name": name}), foretold)

    async def add(self, actor: int, number: int) -> None:
        user_id = self.users[number].id
        foretold = self.model.add(self.users[actor].id, user_id)
        self._expect(await self._do(actor, "POST", "/members", "", {"userId": user_id}), foretold)

    async def remove(self, actor: int, number: int) -> None:
        user_id = self.users[number].id
        foretold = self.model.remove(self.users[actor].id, user_id)
        self._expect(await self._do(actor, "DELETE", f"/members/{user_id}", "", {}), foretold)

    async def set_role(self, number: int, role: str) -> None:
        user_id = self.users[number].id
        foretold = self.model.set_role(user_id, role)
        self._expect(await self._do(0, "PATCH", f"/members/{user_id}", "", {"role": role}), foretold)

    async def disconnect(self, actor: int) -> None:
        await self.devices[actor].disconnect()

    async def reconnect(self, actor: int) -> None:
        await self.devices[actor].connect()

    async def look(self) -> None:
        """Model, fresh snapshot, and what each connected client put together: all the same."""
        for device in self.devices:
            expected = self.model.view(device.user.id)
            fresh = await asyncio.to_thread(device.fresh_snapshot)
            assert _view(fresh) == expected
            if device.client is None:
                continue

            async def converged(device: Device = device, fresh: Any = fresh) -> bool:
                await device.catch_up()
                return bool(device.snapshot() == fresh)

            try:
                await until(
                    converged, "the client shows what a fresh snapshot shows", seconds=CONVERGE_SECONDS
                )
            except AssertionError:
                assert device.snapshot() == fresh
                raise


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[list[ChatServer]]:
    if PROCESSES == 1:
        yield [request.getfixturevalue("server")]
        return
    redis: RedisServer = request.getfixturevalue("redis_server")
    with chat_servers(PROCESSES, REDIS_URL=redis.url) as several:
        yield several


@pytest.fixture(scope="module")
def users(servers: list[ChatServer]) -> list[ChatUser]:
    found = [servers[0].sign_up() for _ in range(USERS)]
    return [user.on(servers[number % len(servers)]) for number, user in enumerate(found)]


@pytest.mark.slow
@pytest.mark.timeout(max(400, EXAMPLES * 20))
@settings(
    max_examples=EXAMPLES or 25,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
def test_any_steps_then_old_snapshot_and_events_are_the_fresh_snapshot(
    users: list[ChatUser], steps: list[tuple[Any, ...]]
) -> None:
    asyncio.run(Play(users).run(steps))
