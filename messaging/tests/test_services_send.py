"""Sending over socket and REST: one shape, one order without gaps. Takes about six seconds."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

NOBODY = "01900000-0000-7000-8000-000000000000"
MESSAGE_KEYS = {
    "id", "serverMessageId", "roomId", "seq", "from", "to", "content", "type", "replyTo", "meta",
    "clientMessageId", "createdAt", "editedAt",
}  # fmt: skip
REPLY_KEYS = {"serverMessageId", "roomId", "seq", "createdAt", "clientMessageId", "duplicate"}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


async def receive(client: ChatSocketClient, room_id: str) -> dict[str, Any]:
    frame = await client.expect(
        lambda frame: frame["event"] == "message:receive" and frame["data"]["roomId"] == room_id
    )
    return dict(frame["data"])


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser) -> str:
    return ann.make_room(ben)


@pytest.fixture(scope="module")
def hermit(server: ChatServer) -> ChatUser:
    """A user who shares no room with others, and therefore gets no presence events."""
    return server.sign_up("hermit")


@pytest.mark.smoke
async def test_message_when_sent_over_socket_or_rest_then_all_get_the_same(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    first = ann.send(room_id, "first")
    full = {
        "content": "Grüße 👋\n\tzwei",
        "type": "greeting.v1",
        "replyTo": first["id"],
        "meta": {"k": [1, None]},
    }
    async with ann.connect() as phone, ann.connect() as laptop, ben.connect() as bens:
        reply = await phone.reply("message:send", {"roomId": room_id, "clientMessageId": "a", **full})
        over_rest = ann.http.post(f"/api/rooms/{room_id}/messages", json={"clientMessageId": "b", **full})
        assert over_rest.status_code == 201
        received = [[await receive(client, room_id) for _ in range(2)] for client in (phone, laptop, bens)]
    assert received[0] == received[1] == received[2] == ben.history(room_id)[1:] == ann.history(room_id)[1:]
    socket_message, rest_message = received[0]
    assert rest_message == over_rest.json()
    assert set(socket_message) == set(rest_message) == MESSAGE_KEYS
    own = {"id", "serverMessageId", "seq", "clientMessageId", "createdAt"}
    assert {k: v for k, v in socket_message.items() if k not in own} == {
        k: v for k, v in rest_message.items() if k not in own
    }
    assert {name: socket_message[name] for name in full} == full
    assert (socket_message["from"], socket_message["to"], socket_message["editedAt"]) == (ann.id, None, None)
    assert socket_message["id"] == socket_message["serverMessageId"]
    assert socket_message["id"][14] == "7"
    assert socket_message["id"] < rest_message["id"]
    assert set(reply) == REPLY_KEYS
    assert reply == {
        **{name: socket_message[name] for name in REPLY_KEYS - {"duplicate"}},
        "duplicate": False,
    }


async def test_message_when_received_then_is_in_history_already(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    async with ann.connect() as anns, ben.connect() as bens:
        for n in range(5):
            await anns.send("message:send", {"roomId": room_id, "content": f"m{n}"})
            message = await receive(bens, room_id)
            assert ben.history(room_id, limit=1) == [message]


async def test_message_when_sent_without_ref_then_gets_no_reply(room_id: str, ann: ChatUser) -> None:
    async with ann.connect() as client:
        await client.send("message:send", {"roomId": room_id, "content": "quiet"})
        assert (await receive(client, room_id))["content"] == "quiet"
        assert [frame for frame in await client.settle() if frame["event"] == "reply"] == []


async def test_message_when_sent_to_a_user_then_goes_to_the_one_direct_room(
    server: ChatServer, ann: ChatUser
) -> None:
    other = server.sign_up()
    async with ann.connect() as anns, other.connect() as others:
        sent = [await anns.reply("message:send", {"toUserId": other.id, "content": "hi"})]
        sent.append(await others.reply("message:send", {"toUserId": ann.id, "content": "hi back"}))
        added = await others.expect("room:added")
        received = [await receive(anns, sent[0]["roomId"]) for _ in range(2)]
    assert sent[0]["roomId"] == sent[1]["roomId"] == added["data"]["id"]
    assert [reply["seq"] for reply in sent] == [1, 2]
    assert [(message["from"], message["to"]) for message in received] == [
        (ann.id, other.id),
        (other.id, ann.id),
    ]
    direct = other.http.post("/api/rooms/direct", json={"userId": ann.id})
    assert (direct.status_code, direct.json()["id"]) == (200, sent[0]["roomId"])


async def test_first_message_when_to_a_new_direct_room_then_is_not_missed(server: ChatServer) -> None:
    """The sockets may not be subscribed to the room yet: they get the message live or by resume."""
    one, other = server.sign_up(), server.sign_up()
    async with other.connect() as client:
        sent = await asyncio.to_thread(
            lambda: one.http.post("/api/rooms/direct", json={"userId": other.id}).json()["id"]
        )
        one.send(sent, "first")
        added = (await client.expect("room:added"))["data"]
        if added["lastSeq"] == 0:
            assert (await receive(client, sent))["seq"] == 1


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"content": ""}, "content"),
        ({"content": " \n\t "}, "content"),
        ({"content": "x" * 4001}, "content"),
        ({"content": "a\x00b"}, "content"),
        ({"content": "a\x1b[31mb"}, "content"),
        ({"content": 5}, "content"),
        ({"content": None}, "content"),
        ({"content": ["x"]}, "content"),
        ({}, "content"),
        ({"content": "x", "type": ""}, "type"),
        ({"content": "x", "type": "Text"}, "type"),
        ({"content": "x", "type": "text\n"}, "type"),
        ({"content": "x", "type": "a" * 33}, "type"),
        ({"content": "x", "type": "deleted"}, "type"),
        ({"content": "x", "type": 5}, "type"),
        ({"content": "x", "clientMessageId": ""}, "clientMessageId"),
        ({"content": "x", "clientMessageId": "c" * 65}, "clientMessageId"),
        ({"content": "x", "clientMessageId": "a\x00"}, "clientMessageId"),
        ({"content": "x", "clientMessageId": 7}, "clientMessageId"),
        ({"content": "x", "replyTo": "x"}, "replyTo"),
        ({"content": "x", "replyTo": NOBODY}, "replyTo"),
        ({"content": "x", "replyTo": 1}, "replyTo"),
        ({"content": "x", "meta": "x"}, "meta"),
        ({"content": "x", "meta": [1]}, "meta"),
        ({"content": "x", "meta": {"big": "x" * 4096}}, "meta"),
        ({"content": "x", "meta": {"nul": "\x00"}}, "meta"),
        ({"content": "x", "meta": {"\x00": 1}}, "meta"),
        ({"content": "x", "meta": {"n": 2**53}}, "meta"),
        ({"content": "x", "meta": {"n": -(2**64)}}, "meta"),
        ({"content": "x", "seq": 1}, "seq"),
        ({"content": "x", "from": NOBODY}, "from"),
    ],
)
async def test_message_when_a_field_is_bad_then_both_name_it_and_store_nothing(
    hermit: ChatUser, data: dict[str, Any], field: str
) -> None:
    room_id = hermit.make_room()
    error_of(hermit.http.post(f"/api/rooms/{room_id}/messages", json=data), 400, "invalid", field)
    async with hermit.connect() as client:
        check_error(await client.error("message:send", {"roomId": room_id, **data}), "invalid", field)
        assert await client.settle() == []
    assert hermit.history(room_id) == []


async def test_message_when_it_has_lone_surrogates_then_is_invalid(room_id: str, ann: ChatUser) -> None:
    async with ann.connect() as client:
        for bad in (r"\ud800", r"\udc00\ud800", r"x\udfff"):
            body = f'{{"content": "{bad}"}}'
            json = {"Content-Type": "application/json"}
            answer = ann.http.post(f"/api/rooms/{room_id}/messages", content=body, headers=json)
            error_of(answer, 400, "invalid")
            await client.send_raw(
                f'{{"event": "message:send", "data": {{"roomId": "{room_id}", "content": "{bad}"}}}}'
            )
            check_error((await client.expect("error:invalid"))["data"], "invalid")
        await client.reply("ping")
    assert ann.history(room_id) == []


def nested(depth: int) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for _ in range(depth):
        meta = {"a": meta}
    return meta


async def test_meta_when_at_its_limits_then_is_stored_unchanged(room_id: str, ann: ChatUser) -> None:
    for meta in ({"t": "x" * (4096 - 8)}, nested(18), {"n": 2**53 - 1, "f": 1.5, "$where": "1", "a.b": None}):
        assert ann.send(room_id, "x", meta=meta)["meta"] == meta
    assert [message["meta"].get("n") for message in ann.history(room_id)][-1] == 2**53 - 1
    async with ann.connect() as client:
        deep = {"roomId": room_id, "content": "x", "meta": nested(40)}
        check_error(await client.error("message:send", deep), "invalid", "meta")
        await client.send_raw(
            f'{{"event":"message:send","ref":1,"data":{{"roomId":"{room_id}","content":"x","meta":'
            + '{"a":' * 5000 + "1" + "}" * 5000 + "}}"
        )  # fmt: skip
        assert (await client.expect(lambda frame: frame["event"] == "error:invalid"))["data"][
            "code"
        ] == "invalid"
        await client.reply("ping")


async def test_message_when_to_neither_or_both_room_and_user_then_is_invalid(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    async with ann.connect() as client:
        for where in ({}, {"roomId": room_id, "toUserId": ben.id}):
            check_error(await client.error("message:send", {"content": "x", **where}), "invalid", "roomId")
        for to_user_id in (NOBODY, "x"):
            error = await client.error("message:send", {"content": "x", "toUserId": to_user_id})
            assert set(error["fields"]) <= {"userId", "toUserId"}
            assert error["code"] == "invalid"
        check_error(await client.error("message:send", {"content": "x", "roomId": "x"}), "invalid", "roomId")


async def test_reply_when_to_another_rooms_message_then_is_invalid(room_id: str, ann: ChatUser) -> None:
    elsewhere = ann.send(ann.make_room(), "x")["id"]
    body = {"content": "x", "replyTo": elsewhere}
    error_of(ann.http.post(f"/api/rooms/{room_id}/messages", json=body), 400, "invalid", "replyTo")
    async with ann.connect() as client:
        check_error(await client.error("message:send", {"roomId": room_id, **body}), "invalid", "replyTo")


def test_content_when_at_its_limit_then_is_stored_unchanged(room_id: str, ann: ChatUser) -> None:
    for content in (
        "x" * 4000,
        "😀" * 4000,
        "  spaces at both ends  ",
        "<b>&amp;</b>",
        "\u202eright to left",
    ):
        assert ann.send(room_id, content)["content"] == content
    assert ann.history(room_id)[1]["content"] == "😀" * 4000


@pytest.mark.smoke
async def test_seq_when_many_send_at_once_then_has_no_gap_and_no_repeat(
    room_id: str, ann: ChatUser, ben: ChatUser
) -> None:
    async with ann.connect() as one, ann.connect() as two, ben.connect() as three:
        with ThreadPoolExecutor(4) as pool:
            over_rest = [
                asyncio.get_running_loop().run_in_executor(
                    pool, lambda user=user, n=n: user.server.http(user).post(
                        f"/api/rooms/{room_id}/messages", json={"content": f"rest {n}"}
                    ).json()["seq"]
                )
                for n, user in enumerate((ann, ben) * 5)
            ]  # fmt: skip
            for n in range(20):
                for client in (one, two, three):
                    await client.send("message:send", {"roomId": room_id, "content": f"socket {n}"}, ref=n)
            seqs = [await answer for answer in over_rest]
        for client in (one, two, three):
            replies = [
                await client.expect(lambda frame, n=n: frame.get("ref") == n and frame["event"] == "reply")
                for n in range(20)
            ]
            seqs += [reply["data"]["seq"] for reply in replies]
            received = [await receive(client, room_id) for _ in range(70)]
            assert [message["seq"] for message in received] == list(range(1, 71))
    assert sorted(seqs) == list(range(1, 71))
    assert [message["seq"] for message in ann.history(room_id)] == list(range(1, 71))
    for name in (ann.id, ben.id):
        own = [
            m["content"] for m in ann.history(room_id) if m["from"] == name and m["content"].startswith("s")
        ]
        numbers = [int(content.split()[1]) for content in own]
        assert sorted(numbers) == sorted([*range(20)] * (2 if name == ann.id else 1))
