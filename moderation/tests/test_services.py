"""Moderators' actions over HTTP: clients see them at once, and the audit log records them."""

import httpx
import pytest

from tests.kit.users import PASSWORD, ChatUser

from .moderator import Moderator


async def test_deactivate_when_connected_then_the_socket_closes_with_4403(
    moderator: Moderator, alice: ChatUser
) -> None:
    async with alice.connect() as socket:
        shown = moderator.act("accounts/user", "deactivate", alice.id, reason="spam in every room")
        assert await socket.close_code() == 4403
    assert "Deactivate users: 1 done." in shown
    with alice.server.http() as http:
        answer = http.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert answer.status_code == 403
    audit = moderator.audit_log()
    assert "deactivate_user" in audit
    assert "spam in every room" in audit
    moderator.act("accounts/user", "reactivate", alice.id)
    alice.login()


async def test_end_sessions_when_connected_then_the_socket_closes_with_4401(
    moderator: Moderator, alice: ChatUser
) -> None:
    async with alice.connect() as socket:
        moderator.act("accounts/user", "end_sessions", alice.id)
        assert await socket.close_code() == 4401


def test_deactivate_when_it_is_oneself_then_refused_and_unrecorded(moderator: Moderator) -> None:
    (pk,) = moderator.row_ids("accounts/user", q=moderator.name)
    assert "You cannot do this to your own account." in moderator.act("accounts/user", "deactivate", pk)
    assert "deactivate_user" not in moderator.audit_log(target=pk)


@pytest.mark.smoke
async def test_remove_message_when_watched_then_published_and_versions_stay(
    moderator: Moderator, alice: ChatUser, bob: ChatUser
) -> None:
    room = alice.make_room(bob)
    first = alice.send(room, "first wording")
    edited = alice.http.patch(f"/api/rooms/{room}/messages/{first['id']}", json={"content": "second wording"})
    assert edited.status_code == 200
    async with bob.connect() as socket:
        moderator.act("messaging/message", "remove", first["id"], reason="insult")
        event = await socket.expect("message:deleted")
    assert event["data"]["id"] == first["id"]
    assert event["data"]["content"] == ""
    page = moderator.page(f"/admin/messaging/message/{first['id']}/change/")
    assert "first wording" in page
    assert "second wording" in page
    assert "insult" in page
    assert moderator.name in page


async def test_lock_room_when_a_member_sends_then_forbidden_until_unlocked(
    moderator: Moderator, alice: ChatUser, bob: ChatUser
) -> None:
    room = alice.make_room(bob)
    message = alice.send(room, "before")
    async with bob.connect() as socket, alice.connect() as typist:
        typing = {"roomId": room, "isTyping": True}
        await typist.reply("typing", typing)
        assert (await socket.expect("typing"))["data"]["isTyping"] is True
        moderator.act("rooms/room", "lock", room)
        assert (await socket.expect("typing", seconds=5))["data"]["isTyping"] is False
        assert (await typist.error("typing", typing))["code"] == "forbidden"
        updated = await socket.expect("room:updated")
        assert updated["data"]["lockedAt"] is not None
        refused = await socket.error("message:send", {"roomId": room, "content": "x"})
        assert refused["code"] == "forbidden"
        edit = alice.http.patch(f"/api/rooms/{room}/messages/{message['id']}", json={"content": "y"})
        assert edit.json()["error"]["code"] == "forbidden"
        renamed = alice.http.patch(f"/api/rooms/{room}", json={"name": "y"})
        assert renamed.json()["error"]["code"] == "forbidden"
        # Again, it changes nothing and is told to nobody.
        moderator.act("rooms/room", "lock", room)
        assert "room:updated" not in [frame["event"] for frame in await socket.read_all()]
    assert alice.http.get(f"/api/rooms/{room}").json()["lockedAt"] == updated["data"]["lockedAt"]
    moderator.act("rooms/room", "unlock", room)
    assert bob.send(room, "after")["seq"] == 2


async def test_delete_room_when_watched_then_members_lose_it_and_log_stays(
    moderator: Moderator, alice: ChatUser, bob: ChatUser
) -> None:
    room = alice.make_room(bob)
    message = alice.send(room, "evidence")
    async with bob.connect() as socket:
        moderator.act("rooms/room", "delete_rooms", room)
        removed = await socket.expect("room:removed")
    assert removed["data"] == {"roomId": room, "reason": "deleted"}
    assert alice.http.get(f"/api/rooms/{room}").status_code == 404
    assert "evidence" in moderator.page(f"/admin/messaging/message/{message['id']}/change/")
    assert "deleted already" in moderator.act("rooms/room", "delete_rooms", room)


def test_delete_room_when_direct_then_refused(moderator: Moderator, alice: ChatUser, bob: ChatUser) -> None:
    room = alice.http.post("/api/rooms/direct", json={"userId": bob.id}).json()["id"]
    assert "Lock it instead." in moderator.act("rooms/room", "delete_rooms", room)
    assert alice.http.get(f"/api/rooms/{room}").status_code == 200


async def test_remove_member_when_the_last_owner_then_an_admin_succeeds(
    moderator: Moderator, alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    room = alice.make_room(bob)
    admin = {"userId": carol.id, "role": "admin"}
    assert alice.http.post(f"/api/rooms/{room}/members", json=admin).status_code == 201
    (pk,) = moderator.row_ids("rooms/membership", room=room, user=alice.id)
    async with alice.connect() as socket, bob.connect() as bobs:
        moderator.act("rooms/membership", "remove", pk)
        assert (await socket.expect("room:removed"))["data"]["reason"] == "removed"
        promoted = await bobs.expect(
            lambda frame: frame["event"] == "room:member" and frame["data"]["member"]
        )
        assert (promoted["data"]["userId"], promoted["data"]["member"]["role"]) == (carol.id, "owner")
    assert alice.http.get(f"/api/rooms/{room}").status_code == 404
    members = bob.http.get(f"/api/rooms/{room}").json()["members"]
    assert {member["userId"]: member["role"] for member in members} == {bob.id: "member", carol.id: "owner"}
    moderator.act(
        "rooms/membership", "remove", *moderator.row_ids("rooms/membership", room=room, user=carol.id)
    )
    assert bob.http.get(f"/api/rooms/{room}").json()["role"] == "owner"


def report(user: ChatUser, room: str, message_id: str, reason: str = "rude") -> httpx.Response:
    return user.http.post(f"/api/rooms/{room}/messages/{message_id}/report", json={"reason": reason})


def report_ids(moderator: Moderator, message_id: str) -> list[str]:
    return moderator.row_ids("moderation/report", message=message_id)


def test_report_when_edited_afterwards_then_the_queue_has_the_old_text(
    moderator: Moderator, alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    room = alice.make_room(bob)
    message = alice.send(room, "the insult")
    assert report(bob, room, message["id"]).status_code == 201
    assert report(bob, room, message["id"]).json()["error"]["code"] == "conflict"
    assert report(carol, room, message["id"]).status_code == 404
    alice.http.patch(f"/api/rooms/{room}/messages/{message['id']}", json={"content": "harmless"})
    page = moderator.page("/admin/moderation/report/", room=room)
    assert "the insult" in page
    assert "rude" in page


def test_reason_when_it_shows_nothing_then_is_refused(
    moderator: Moderator, alice: ChatUser, bob: ChatUser
) -> None:
    room = alice.make_room(bob)
    message = alice.send(room, "x")
    for blank in ("\u200b", "\u3164 \u2800", "\u202e"):
        answer = report(bob, room, message["id"], blank)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["reason"])
        form = {"action": "lock", "_selected_action": room, "confirmed": "yes", "reason": blank}
        assert "empty or invisible" in moderator.post("/admin/rooms/room/", **form).text
    assert alice.http.get(f"/api/rooms/{room}").json()["lockedAt"] is None


def test_report_when_the_message_is_removed_then_all_are_resolved(
    moderator: Moderator, alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    room = alice.make_room(bob, carol)
    message = alice.send(room, "bad")
    report(bob, room, message["id"])
    report(carol, room, message["id"])
    ids = report_ids(moderator, message["id"])
    assert len(ids) == 2
    moderator.act("moderation/report", "remove_message", ids[0], reason="agreed")
    assert report_ids(moderator, message["id"]) == []
    assert bob.history(room)[0]["type"] == "deleted"
    again = moderator.post("/admin/moderation/report/", action="dismiss", _selected_action=ids[1])
    assert "no longer in this list" in moderator.page(again.headers["location"])


def test_report_when_dismissed_then_the_message_stays(
    moderator: Moderator, alice: ChatUser, bob: ChatUser
) -> None:
    room = alice.make_room(bob)
    message = alice.send(room, "fine")
    report(bob, room, message["id"])
    moderator.act("moderation/report", "dismiss", *report_ids(moderator, message["id"]))
    assert report_ids(moderator, message["id"]) == []
    assert bob.history(room)[0]["content"] == "fine"
    assert "Dismissed" in moderator.page("/admin/moderation/report/", room=room, state="resolved")


def test_report_when_the_author_is_deactivated_then_message_is_removed(
    moderator: Moderator, alice: ChatUser, bob: ChatUser
) -> None:
    room = alice.make_room(bob)
    message = alice.send(room, "scam")
    report(bob, room, message["id"])
    moderator.act("moderation/report", "deactivate_author", *report_ids(moderator, message["id"]))
    assert alice.http.get("/api/users/me").status_code == 403
    assert bob.history(room)[0]["type"] == "deleted"
