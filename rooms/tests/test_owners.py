"""A group in which somebody is active keeps an active owner. Takes about ten seconds."""

from collections.abc import Callable

import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .conftest import ACCOUNT
from .test_members import change, remove
from .test_rooms import roles_of


@pytest.fixture
def other(server: ChatServer) -> ChatUser:
    """A user whom the test deactivates."""
    return server.sign_up("other")


@pytest.fixture
def reactivate(server: ChatServer) -> Callable[[ChatUser], None]:
    def run(user: ChatUser) -> None:
        server.manage("shell", "-v0", "-c", ACCOUNT.format(service="reactivate_user", user_id=user.id))

    return run


def test_owner_when_the_other_owner_is_deactivated_then_stays(
    ann: ChatUser, ben: ChatUser, other: ChatUser, deactivate: Callable[[ChatUser], None]
) -> None:
    room_id = ann.make_room(ben, other)
    change(ann, room_id, other, role="owner")
    deactivate(other)
    error_of(remove(ann, room_id, ann), 409, "conflict")
    error_of(change(ann, room_id, ann, role="member"), 409, "conflict")
    assert roles_of(ben, room_id) == {ann.id: "owner", ben.id: "member", other.id: "owner"}
    assert change(ann, room_id, other, role="member").status_code == 200
    change(ann, room_id, ben, role="owner")
    assert remove(ann, room_id, ann).status_code == 204


def test_owner_when_all_others_are_deactivated_then_leaves(
    ann: ChatUser,
    other: ChatUser,
    deactivate: Callable[[ChatUser], None],
    reactivate: Callable[[ChatUser], None],
) -> None:
    room_id = ann.make_room(other)
    deactivate(other)
    assert remove(ann, room_id, ann).status_code == 204
    reactivate(other)
    assert roles_of(other.login(), room_id) == {other.id: "owner"}


@pytest.mark.smoke
def test_sole_owner_when_deactivated_then_an_admin_becomes_owner_too(
    ann: ChatUser,
    ben: ChatUser,
    other: ChatUser,
    deactivate: Callable[[ChatUser], None],
    reactivate: Callable[[ChatUser], None],
) -> None:
    room_id, without_admin = other.make_room(ann, ben), other.make_room(ann)
    owned, direct = ann.make_room(other), other.http.post("/api/rooms/direct", json={"userId": ann.id}).json()
    change(other, room_id, ben, role="admin")
    deactivate(other)
    assert roles_of(ann, room_id) == {ann.id: "member", ben.id: "owner", other.id: "owner"}
    assert roles_of(ann, without_admin) == {ann.id: "owner", other.id: "owner"}
    assert roles_of(ann, owned) == {ann.id: "owner", other.id: "member"}
    assert roles_of(ann, direct["id"]) == {ann.id: "member", other.id: "member"}
    error_of(remove(ben, room_id, ben), 409, "conflict")
    reactivate(other)
    assert roles_of(ann, room_id) == {ann.id: "member", ben.id: "owner", other.id: "owner"}
    assert remove(ben, room_id, ben).status_code == 204


def test_members_when_all_are_deactivated_then_the_first_back_is_owner(
    server: ChatServer,
    other: ChatUser,
    deactivate: Callable[[ChatUser], None],
    reactivate: Callable[[ChatUser], None],
) -> None:
    member = server.sign_up()
    room_id = other.make_room(member)
    deactivate(member)
    deactivate(other)
    reactivate(member)
    assert roles_of(member.login(), room_id) == {member.id: "owner", other.id: "owner"}
