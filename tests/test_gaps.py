"""Two processes over one Redis: every room is in order in both, and messages that the channel layer loses are read
from the log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from tests.kit.clients import ChatSocketClient
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

MESSAGES = 60
# A lost last message is found by a check that runs every 4 s.
LOST_MESSAGE_SECONDS = 20


@contextmanager
def disconnected(server: ChatServer, redis_server: RedisServer) -> Iterator[None]:
    """Makes the server lose what is published in the block: it is paused, and its subscription is closed."""
    server.pause()
    try:
        with redis.Redis.from_url(redis_server.url) as client:
            client.client_kill_filter(_type="pubsub")
        yield
    finally:
        server.resume()


async def receive(client: ChatSocketClient, count: int) -> list[dict]:
    return [(await client.expect("message:receive", seconds=30))["data"] for _ in range(count)]


async def test_delivery_when_two_processes_write_then_sockets_agree_on_order(pair):
    first, second = pair
    alice, bob = first.sign_up("alice"), second.sign_up("bob")
    room_id = alice.make_room(bob)
    async with alice.connect() as at_first, bob.connect() as at_second:

        async def write(client: ChatSocketClient, name: str) -> None:
            for number in range(MESSAGES):
                await client.send("message:send", {"roomId": room_id, "content": f"{name} {number}"})

        await asyncio.gather(write(at_first, "alice"), write(at_second, "bob"))
        for client in (at_first, at_second):
            received = await receive(client, 2 * MESSAGES)
            assert [message["seq"] for message in received] == list(range(1, 2 * MESSAGES + 1))
            for name in ("alice", "bob"):
                own = [m["content"] for m in received if m["content"].startswith(name)]
                assert own == [f"{name} {number}" for number in range(MESSAGES)]


async def test_delivery_when_the_last_message_is_lost_then_reads_the_log(pair, redis_server):
    first, second = pair
    alice, bob = first.sign_up("alice"), second.sign_up("bob")
    room_id = alice.make_room(bob)
    async with bob.connect() as client:
        alice.send(room_id, "one")
        assert [m["seq"] for m in await receive(client, 1)] == [1]
        with disconnected(second, redis_server):
            alice.send(room_id, "two")
        frame = await client.expect("message:receive", seconds=LOST_MESSAGE_SECONDS)
        assert (frame["data"]["seq"], frame["data"]["content"]) == (2, "two")


async def test_delivery_when_a_message_is_lost_then_the_next_waits_for_it(pair, redis_server):
    first, second = pair
    alice, bob = first.sign_up("alice"), second.sign_up("bob")
    room_id = alice.make_room(bob)
    async with bob.connect() as client:
        with disconnected(second, redis_server):
            for number in range(1, 4):
                alice.send(room_id, str(number))
        alice.send(room_id, "4")
        assert [message["seq"] for message in await receive(client, 4)] == [1, 2, 3, 4]


async def test_membership_when_its_event_is_lost_then_sockets_still_follow(pair, redis_server):
    first, second = pair
    alice, bob = first.sign_up("alice"), second.sign_up("bob")
    left, joined = alice.make_room(bob), alice.make_room()
    async with bob.connect() as client:
        with disconnected(second, redis_server):
            assert alice.http.delete(f"/api/rooms/{left}/members/{bob.id}").status_code == 204
            answer = alice.http.post(f"/api/rooms/{joined}/members", json={"userId": bob.id})
            assert answer.status_code == 201
        removed = await client.expect("room:removed", seconds=60)
        assert removed["data"]["roomId"] == left
        added = await client.expect("room:added", seconds=60)
        assert added["data"]["id"] == joined
        alice.send(left, "not for bob")
        alice.send(joined, "for bob")
        assert (await receive(client, 1))[0]["content"] == "for bob"
