"""What a client was told at one process is in every read at another, also where marks follow their messages."""

from tests.kit.servers import ChatServer

ROUNDS = 10


async def test_rooms_when_read_elsewhere_then_count_what_was_told(pair: list[ChatServer]) -> None:
    here, there = pair
    ann, ben = here.sign_up(), here.sign_up()
    others = [ann.make_room(ben) for _ in range(3)]
    room_id = ann.make_room(ben)
    for other in others:
        ann.send(other, "later active")
    elsewhere = ben.on(there)
    async with ann.connect() as anns, ben.connect() as bens:
        for seq in range(1, 3 * ROUNDS, 3):
            for n in range(3):
                await anns.send("message:send", {"roomId": room_id, "content": f"m{n}"})
            await bens.expect(
                lambda frame, last=seq + 2: (
                    frame["event"] == "message:receive" and frame["data"]["seq"] == last
                )
            )
            first = elsewhere.http.get("/api/rooms").json()["results"][0]
            assert (first["id"], first["lastSeq"], first["unreadCount"]) == (room_id, seq + 2, seq + 2)
            assert first["lastMessage"]["seq"] == seq + 2


async def test_watermarks_when_read_elsewhere_then_are_as_told(pair: list[ChatServer]) -> None:
    here, there = pair
    ann, ben = here.sign_up(), here.sign_up()
    room_id = ann.make_room(ben)
    elsewhere = ben.on(there)
    async with ann.connect() as anns, ben.connect() as bens:
        for seq in range(1, ROUNDS):
            for user, socket in ((ann, anns), (ben, bens)):
                await socket.send("message:send", {"roomId": room_id, "content": f"by {user.id}"})
            last = await bens.expect(
                lambda frame, last=2 * seq: (
                    frame["event"] == "message:receive" and frame["data"]["seq"] == last
                )
            )
            previous = elsewhere.history(room_id)[-2]
            path = f"/api/rooms/{room_id}/messages/{previous['id']}/receipts"
            receipts = elsewhere.http.get(path).json()
            assert receipts["readBy"] == [last["data"]["from"]]
