"""Changes of write access reach the cache, and the writer does not depend on it."""

from collections.abc import Callable

from tests.kit.servers import ChatServer

REMOVE = "from rooms.models import Membership as M; M.objects.filter(room_id='{}', user_id='{}').delete()"


async def test_send_when_the_member_was_muted_then_the_next_message_is_refused(server: ChatServer):
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    async with bob.connect() as client:
        await client.reply("message:send", {"roomId": room_id, "content": "one"})
        body = {"mutedUntil": "2099-01-01T00:00:00Z"}
        assert alice.http.patch(f"/api/rooms/{room_id}/members/{bob.id}", json=body).status_code == 200
        error = await client.error("message:send", {"roomId": room_id, "content": "two"})
        assert error["code"] == "muted"
        body = {"mutedUntil": None}
        assert alice.http.patch(f"/api/rooms/{room_id}/members/{bob.id}", json=body).status_code == 200
        await client.reply("message:send", {"roomId": room_id, "content": "three"})


async def test_send_when_the_notice_of_a_removal_was_lost_then_is_refused(
    start_server: Callable[..., ChatServer],
):
    server = start_server()
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    async with bob.connect() as client:
        await client.reply("message:send", {"roomId": room_id, "content": "one"})
        server.manage("shell", "-c", REMOVE.format(room_id, bob.id))
        error = await client.error("message:send", {"roomId": room_id, "content": "two"})
        assert error["code"] == "not_found"
    assert [message["content"] for message in alice.history(room_id)] == ["one"]


async def test_send_when_a_member_left_and_came_back_then_it_is_stored(server: ChatServer):
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room_id = alice.make_room(bob)
    async with bob.connect() as client:
        await client.reply("message:send", {"roomId": room_id, "content": "one"})
        assert bob.http.delete(f"/api/rooms/{room_id}/members/{bob.id}").status_code == 204
        error = await client.error("message:send", {"roomId": room_id, "content": "two"})
        assert error["code"] == "not_found"
        alice.http.post(f"/api/rooms/{room_id}/members", json={"userId": bob.id})
        await client.reply("message:send", {"roomId": room_id, "content": "three"})
