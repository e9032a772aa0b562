"""The steps of the model test. Each is taken in the model and on the server, and the answers are compared."""

import asyncio
from typing import Any

from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .room_device import Device, view_of
from .room_model import Member, Message, Model

CONVERGE_SECONDS = 30.0


class Play:
    """One example: a new room, its model, and a device for each user. Steps are called by name."""

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
        """Sends the request over the actor's socket if it is open, else over REST.

        Returns the data of the answer, or the code of the error.
        """
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
    def _expect(answer: Any, expected: str | None) -> None:
        code = answer if isinstance(answer, str) else None
        assert code == expected, (answer, expected)

    async def _send(self, actor: int, content: str, key: str | None) -> Any:
        body = {"content": content} | ({"clientMessageId": key} if key else {})
        return await self._do(actor, "POST", "/messages", "message:send", body)

    async def send(self, actor: int, key: str | None, content: str) -> None:
        user_id = self.users[actor].id
        expected = self.model.send(user_id, content, key)
        answer = await self._send(actor, content, key)
        self._expect(answer, expected)
        if expected is None:
            seq = self.model.keys[user_id, key][0] if key else len(self.model.messages)
            assert answer["seq"] == seq

    async def send_at_once(self, actors: list[int], content: str) -> None:
        """Members send at the same time. All messages are stored, in the order that the answers say."""
        members = sorted({actor for actor in actors if self.users[actor].id in self.model.members})
        answers = await asyncio.gather(*(self._send(actor, content, None) for actor in members))
        for answer, actor in sorted(zip(answers, members, strict=True), key=lambda pair: pair[0]["seq"]):
            self.model.send(self.users[actor].id, content, None)
            assert answer["seq"] == len(self.model.messages)

    async def send_twice_at_once(self, actor: int, key: str, content: str) -> None:
        """Sends the same message over REST and the socket at the same time, like a retry that is too early."""
        body = {"content": content, "clientMessageId": key}
        rest = asyncio.to_thread(self.users[actor].http.post, f"{self.path}/messages", json=body)
        over_rest, answer = await asyncio.gather(rest, self._send(actor, content, key))
        expected = self.model.send(self.users[actor].id, content, key)
        self._expect(answer, expected)
        if expected is None:
            seq = self.model.keys[self.users[actor].id, key][0]
            assert over_rest.json()["seq"] == answer["seq"] == seq
        else:
            assert over_rest.json()["error"]["code"] == expected

    def _message(self, number: int) -> tuple[Message, str] | None:
        """Returns one of the messages, and its id, which is read as the owner."""
        if not self.model.messages:
            return None
        seq = number % len(self.model.messages) + 1
        return self.model.messages[seq - 1], self.users[0].history(self.room_id, after=seq - 1, limit=1)[0][
            "id"
        ]

    async def edit(self, actor: int, number: int, content: str) -> None:
        if found := self._message(number):
            message, message_id = found
            expected = self.model.edit(self.users[actor].id, message, content)
            path, ids = f"/messages/{message_id}", {"messageId": message_id}
            answer = await self._do(actor, "PATCH", path, "message:edit", {"content": content}, **ids)
            self._expect(answer, expected)

    async def delete(self, actor: int, number: int) -> None:
        if found := self._message(number):
            message, message_id = found
            expected = self.model.delete(self.users[actor].id, message)
            path, ids = f"/messages/{message_id}", {"messageId": message_id}
            self._expect(await self._do(actor, "DELETE", path, "message:delete", {}, **ids), expected)

    async def ack(self, actor: int, number: int, status: str) -> None:
        # REST has no ack.
        if self.devices[actor].client is not None:
            # 0 and the number after the last are no messages.
            seq = number % (len(self.model.messages) + 2)
            expected = self.model.ack(self.users[actor].id, seq, status)
            answer = await self._do(actor, "", "", "message:ack", {"seq": seq, "status": status})
            self._expect(answer, expected)

    async def rename(self, actor: int, name: str) -> None:
        expected = self.model.rename(self.users[actor].id, name)
        self._expect(await self._do(actor, "PATCH", "", "", {"name": name}), expected)

    async def add(self, actor: int, number: int) -> None:
        user_id = self.users[number].id
        expected = self.model.add(self.users[actor].id, user_id)
        self._expect(await self._do(actor, "POST", "/members", "", {"userId": user_id}), expected)

    async def remove(self, actor: int, number: int) -> None:
        user_id = self.users[number].id
        expected = self.model.remove(self.users[actor].id, user_id)
        self._expect(await self._do(actor, "DELETE", f"/members/{user_id}", "", {}), expected)

    async def set_role(self, number: int, role: str) -> None:
        user_id = self.users[number].id
        expected = self.model.set_role(user_id, role)
        self._expect(await self._do(0, "PATCH", f"/members/{user_id}", "", {"role": role}), expected)

    async def disconnect(self, actor: int) -> None:
        await self.devices[actor].disconnect()

    async def reconnect(self, actor: int) -> None:
        await self.devices[actor].connect()

    async def look(self) -> None:
        """Compares the model, a fresh snapshot, and the copy of each connected client."""
        for device in self.devices:
            expected = self.model.view(device.user.id)
            fresh = await asyncio.to_thread(device.fresh_snapshot)
            assert view_of(fresh) == expected
            if device.client is None:
                continue

            async def converged(device: Device = device, fresh: Any = fresh) -> bool:
                await device.catch_up()
                return bool(device.snapshot() == fresh)

            try:
                await until(
                    converged, "the client has the state of a fresh snapshot", seconds=CONVERGE_SECONDS
                )
            except AssertionError:
                assert device.snapshot() == fresh
                raise
