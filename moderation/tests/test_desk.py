"""The moderators' desk in the admin: what is done there, clients see at once, and the audit log keeps."""

import re

import httpx
import pytest

from moderation.tests.desk import Desk
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser


@pytest.fixture(scope="module")
def desk(server: ChatServer) -> Desk:
    return Desk(server)


def row_ids(desk: Desk, model: str, **query: str) -> list[str]:
    """The ids of the rows that a list shows."""
    page = desk.get(f"/admin/{model}/", **query).text
    return list(dict.fromkeys(re.findall(rf'href="/admin/{model}/([0-9a-f-]{{36}})/change/', page)))


def last_audit(desk: Desk) -> str:
    return desk.page("/admin/moderation/auditentry/")


async def test_deactivate_when_user_is_connected_then_socket_closes_with_4403(desk, alice):
    async with alice.connect() as socket:
        shown = desk.act("accounts/user", "deactivate", alice.id, reason="spam in every room")
        assert await socket.close_code() == 4403
    assert "Deactivate users: 1 done." in shown
    with alice.server.http() as http:
        answer = http.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert answer.status_code == 403
    audit = last_audit(desk)
    assert "deactivate_user" in audit
    assert "spam in every room" in audit
    desk.act("accounts/user", "reactivate", alice.id)
    alice.login()


async def test_end_sessions_when_user_is_connected_then_socket_closes_with_4401(desk, alice):
    async with alice.connect() as socket:
        desk.act("accounts/user", "end_sessions", alice.id)
        assert await socket.close_code() == 4401


def test_deactivate_when_it_is_oneself_then_refused_and_logged_nowhere(desk, server):
    (pk,) = row_ids(desk, "accounts/user", q=desk.name)
    assert "You cannot do this to your own account." in desk.act("accounts/user", "deactivate", pk)


@pytest.mark.smoke
async def test_remove_message_when_room_watches_then_deleted_is_told_and_versions_stay(desk, alice, bob):
    room = alice.make_room(bob)
    first = alice.send(room, "first wording")
    edited = alice.http.patch(f"/api/rooms/{room}/messages/{first['id']}", json={"content": "second wording"})
    assert edited.status_code == 200
    async with bob.connect() as socket:
        desk.act("messaging/message", "remove", first["id"], reason="insult")
        event = await socket.expect("message:deleted")
    assert event["data"]["id"] == first["id"]
    assert event["data"]["content"] == ""
    page = desk.page(f"/admin/messaging/message/{first['id']}/change/")
    assert "first wording" in page
    assert "second wording" in page
    assert "insult" in page
    assert desk.name in page


async def test_lock_room_when_member_sends_then_forbidden_until_unlocked(desk, alice, bob):
    room = alice.make_room(bob)
    message = alice.send(room, "before")
    async with bob.connect() as socket:
        desk.act("rooms/room", "lock", room)
        updated = await socket.expect("room:updated")
        assert updated["data"]["lockedAt"] is not None
        refused = await socket.error("message:send", {"roomId": room, "content": "x"})
        assert refused["code"] == "forbidden"
    edit = alice.http.patch(f"/api/rooms/{room}/messages/{message['id']}", json={"content": "y"})
    assert edit.json()["error"]["code"] == "forbidden"
    assert alice.http.get(f"/api/rooms/{room}").json()["lockedAt"] is not None
    desk.act("rooms/room", "unlock", room)
    assert bob.send(room, "after")["seq"] == 2


async def test_delete_room_when_members_watch_then_all_lose_it_and_log_stays(desk, alice, bob):
    room = alice.make_room(bob)
    message = alice.send(room, "evidence")
    async with bob.connect() as socket:
        desk.act("rooms/room", "delete_rooms", room)
        removed = await socket.expect("room:removed")
    assert removed["data"] == {"roomId": room, "reason": "deleted"}
    assert alice.http.get(f"/api/rooms/{room}").status_code == 404
    assert "evidence" in desk.page(f"/admin/messaging/message/{message['id']}/change/")
    assert "deleted already" in desk.act("rooms/room", "delete_rooms", room)


def test_delete_room_when_direct_then_refused(desk, alice, bob):
    room = alice.http.post("/api/rooms/direct", json={"userId": bob.id}).json()["id"]
    assert "Lock it instead." in desk.act("rooms/room", "delete_rooms", room)
    assert alice.http.get(f"/api/rooms/{room}").status_code == 200


async def test_remove_member_when_it_is_the_last_owner_then_the_longest_standing_admin_is_owner(
    desk, alice, bob, carol
):
    room = alice.make_room(bob)
    admin = {"userId": carol.id, "role": "admin"}
    assert alice.http.post(f"/api/rooms/{room}/members", json=admin).status_code == 201
    (pk,) = row_ids(desk, "rooms/membership", room=room, user=alice.id)
    async with alice.connect() as socket, bob.connect() as bobs:
        desk.act("rooms/membership", "remove", pk)
        assert (await socket.expect("room:removed"))["data"]["reason"] == "removed"
        promoted = await bobs.expect(
            lambda frame: frame["event"] == "room:member" and frame["data"]["member"]
        )
        assert (promoted["data"]["userId"], promoted["data"]["member"]["role"]) == (carol.id, "owner")
    assert alice.http.get(f"/api/rooms/{room}").status_code == 404
    members = bob.http.get(f"/api/rooms/{room}").json()["members"]
    assert {member["userId"]: member["role"] for member in members} == {bob.id: "member", carol.id: "owner"}
    desk.act("rooms/membership", "remove", *row_ids(desk, "rooms/membership", room=room, user=carol.id))
    assert bob.http.get(f"/api/rooms/{room}").json()["role"] == "owner"


def report(user: ChatUser, room: str, message_id: str, reason: str = "rude") -> httpx.Response:
    return user.http.post(f"/api/rooms/{room}/messages/{message_id}/report", json={"reason": reason})


def report_ids(desk: Desk, message_id: str) -> list[str]:
    return row_ids(desk, "moderation/report", message=message_id)


def test_report_when_message_is_edited_after_then_queue_shows_what_was_reported(desk, alice, bob, carol):
    room = alice.make_room(bob)
    message = alice.send(room, "the insult")
    assert report(bob, room, message["id"]).status_code == 201
    assert report(bob, room, message["id"]).json()["error"]["code"] == "conflict"
    assert report(carol, room, message["id"]).status_code == 404
    alice.http.patch(f"/api/rooms/{room}/messages/{message['id']}", json={"content": "harmless"})
    page = desk.page("/admin/moderation/report/", room=room)
    assert "the insult" in page
    assert "rude" in page


def test_report_when_message_is_removed_then_all_reports_of_it_are_resolved(desk, alice, bob, carol):
    room = alice.make_room(bob, carol)
    message = alice.send(room, "bad")
    report(bob, room, message["id"])
    report(carol, room, message["id"])
    ids = report_ids(desk, message["id"])
    assert len(ids) == 2
    desk.act("moderation/report", "remove_message", ids[0], reason="agreed")
    assert report_ids(desk, message["id"]) == []
    assert bob.history(room)[0]["type"] == "deleted"
    again = desk.post("/admin/moderation/report/", action="dismiss", _selected_action=ids[1])
    assert "no longer in this list" in desk.page(again.headers["location"])


def test_report_when_dismissed_then_message_stays_and_report_leaves_the_queue(desk, alice, bob):
    room = alice.make_room(bob)
    message = alice.send(room, "fine")
    report(bob, room, message["id"])
    desk.act("moderation/report", "dismiss", *report_ids(desk, message["id"]))
    assert report_ids(desk, message["id"]) == []
    assert bob.history(room)[0]["content"] == "fine"
    assert "Dismissed" in desk.page("/admin/moderation/report/", room=room, state="resolved")


def test_report_when_author_is_deactivated_then_both_are_done(desk, alice, bob):
    room = alice.make_room(bob)
    message = alice.send(room, "scam")
    report(bob, room, message["id"])
    desk.act("moderation/report", "deactivate_author", *report_ids(desk, message["id"]))
    assert alice.http.get("/api/users/me").status_code == 403
    assert bob.history(room)[0]["type"] == "deleted"


def test_user_page_when_saved_then_change_is_audited(desk, alice):
    path = f"/admin/accounts/user/{alice.id}/change/"
    answer = desk.post(path, display_name="Alice the Great", avatar_url="", is_staff="on")
    assert answer.status_code == 302, answer.text
    assert alice.http.get("/api/users/me").json()["displayName"] == "Alice the Great"
    entry = last_audit(desk)
    assert "change_account" in entry


def test_room_page_when_retention_is_set_then_it_is_kept_and_audited(desk, alice):
    room = alice.make_room()
    path = f"/admin/rooms/room/{room}/change/"
    assert desk.post(path, retention_days="30").status_code == 302
    assert 'value="30"' in desk.get(path).text
    assert "set_retention" in last_audit(desk)


@pytest.mark.smoke
def test_audit_log_when_all_that_was_done_then_it_is_whole(desk, server):
    assert "whole" in server.manage("verify_audit").stdout
    assert desk.get("/admin/moderation/auditentry/add/").status_code == 403


def test_search_when_nothing_narrows_it_then_only_last_day_is_searched(desk, alice):
    room = alice.make_room(name="needle room")
    alice.send(room, "a needle in a haystack")
    page = desk.page("/admin/messaging/message/", q="a needle in")
    assert "Only the last 24 hours were searched." in page
    assert "a needle in a haystack" in page
    for narrow in ({"room": room}, {"author": alice.username}, {"since": "2020-01-01T00:00"}):
        page = desk.page("/admin/messaging/message/", q="a needle in", **narrow)
        assert "a needle in a haystack" in page
        assert "were searched" not in page
    nothing = desk.page("/admin/messaging/message/", room=room, until="2020-01-01T00:00")
    assert "a needle" not in nothing


@pytest.mark.parametrize(
    "model",
    [
        "accounts/user", "accounts/session", "rooms/room", "rooms/membership", "messaging/message",
        "messaging/messagerevision", "messaging/archivedkey", "moderation/report", "moderation/auditentry",
        "auth/group",
    ],
)  # fmt: skip
@pytest.mark.smoke
def test_pages_when_every_model_is_opened_then_they_answer(desk, model):
    desk.page(f"/admin/{model}/")
    desk.page(f"/admin/{model}/", q="x")
