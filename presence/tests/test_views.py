"""REST of presence: the answers, and who gets them."""

import uuid

import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser


async def test_user_presence_when_a_room_is_shared_then_state_and_devices(
    alice: ChatUser, bob: ChatUser
) -> None:
    alice.make_room(bob)
    offline = {"userId": bob.id, "online": False, "lastSeen": None, "devices": []}
    assert alice.http.get(f"/api/users/{bob.id}/presence").json() == offline
    async with bob.connect(device_id="phone"):
        seen = alice.http.get(f"/api/users/{bob.id}/presence").json()
        assert seen.pop("lastSeen")
        assert seen == {"userId": bob.id, "online": True, "devices": ["phone"]}


async def test_user_presence_when_of_oneself_then_it_is_shown(alice: ChatUser) -> None:
    async with alice.connect(device_id="tablet"):
        seen = alice.http.get(f"/api/users/{alice.id}/presence").json()
        assert (seen["online"], seen["devices"]) == (True, ["tablet"])


async def test_room_presence_when_a_member_asks_then_only_members_are_shown(
    alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    room_id = alice.make_room(bob)
    async with bob.connect(), carol.connect():
        members = alice.http.get(f"/api/rooms/{room_id}/presence").json()
        assert all(set(member) == {"userId", "online", "lastSeen"} for member in members)
        assert {member["userId"]: member["online"] for member in members} == {alice.id: False, bob.id: True}


def test_presence_when_of_strangers_then_not_found(ann: ChatUser, bob: ChatUser) -> None:
    room_id = bob.make_room()
    for name in (bob.id, str(uuid.uuid4()), "me", "1"):
        error_of(ann.http.get(f"/api/users/{name}/presence"), 404, "not_found")
    for name in (room_id, str(uuid.uuid4()), "1"):
        error_of(ann.http.get(f"/api/rooms/{name}/presence"), 404, "not_found")


@pytest.mark.parametrize("path", ["/api/users/{0}/presence", "/api/rooms/{0}/presence"])
def test_presence_when_without_a_token_then_unauthenticated(server: ChatServer, path: str) -> None:
    with server.http() as http:
        error_of(http.get(path.format(uuid.uuid4())), 401, "unauthenticated")
