"""Who may do what to whom in a group, and that nobody favours themselves. Takes about six seconds."""

from typing import Any

import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_members import add, change, moment, remove
from .test_rooms import room_of

ROLES = ("owner", "other owner", "admin", "other admin", "member", "other member")
# The answers to each actor, for the target `other ..` of each role.
#            actor's role   owner admin member
MAY = {
    "mute":    {"owner": "200 200 200", "admin": "403 403 200", "member": "403 403 403"},
    "promote": {"owner": "200 200 200", "admin": "403 403 403", "member": "403 403 403"},
    "demote":  {"owner": "200 200 200", "admin": "403 403 200", "member": "403 403 403"},
    "remove":  {"owner": "204 204 204", "admin": "403 403 204", "member": "403 403 403"},
}  # fmt: skip
MUTED = {"mutedUntil": "2099-01-01T00:00:00.000Z"}


@pytest.fixture(scope="module")
def people(server: ChatServer) -> dict[str, ChatUser]:
    return {name: server.sign_up(name.replace(" ", "_")) for name in ROLES}


def make_room(people: dict[str, ChatUser]) -> str:
    owner, *others = people.values()
    room_id = owner.make_room(*others)
    for name in ("other owner", "admin", "other admin"):
        role = name.rpartition(" ")[2]
        assert change(owner, room_id, people[name], role=role).status_code == 200
    return room_id


@pytest.mark.parametrize("action", MAY)
def test_member_when_another_acts_on_them_then_as_the_table_says(
    people: dict[str, ChatUser], action: str
) -> None:
    bodies = {"mute": MUTED, "promote": {"role": "owner"}, "demote": {"role": "member"}}
    got = {}
    for actor in ("owner", "admin", "member"):
        answers = []
        for target in ("other owner", "other admin", "other member"):
            room_id = make_room(people)
            if action == "remove":
                answer = remove(people[actor], room_id, people[target])
            else:
                answer = change(people[actor], room_id, people[target], **bodies[action])
            answers.append(str(answer.status_code))
        got[actor] = " ".join(answers)
    assert got == MAY[action]


@pytest.mark.parametrize("name", ["other owner", "admin", "member"])
def test_mute_when_the_muted_would_lift_it_then_is_forbidden(people: dict[str, ChatUser], name: str) -> None:
    room_id, muted = make_room(people), people[name]
    assert change(people["owner"], room_id, muted, **MUTED).status_code == 200
    tries: tuple[dict[str, Any], ...] = (
        {"mutedUntil": None},
        {"mutedUntil": moment(hours=-1)},
        {"mutedUntil": moment(hours=1)},
        {"mutedUntil": None, "role": "member"},
    )
    for body in tries:
        error_of(change(muted, room_id, muted, **body), 403, "forbidden")
    # Their own rank does not change it either, and they may not come back by themselves.
    if name != "member":
        assert change(muted, room_id, muted, role="member").json()["mutedUntil"] == MUTED["mutedUntil"]
    error_of(muted.http.post(f"/api/rooms/{room_id}/messages", json={"content": "x"}), 403, "muted")
    assert remove(muted, room_id, muted).status_code == 204
    error_of(add(muted, room_id, muted), 404, "not_found")


@pytest.mark.parametrize("name", ["other owner", "admin"])
async def test_room_when_the_muted_would_change_it_then_is_unchanged(
    people: dict[str, ChatUser], name: str
) -> None:
    room_id, muted = make_room(people), people[name]
    path, before = f"/api/rooms/{room_id}", room_of(muted, room_id)
    # Once before, so that the process has cached that they may write.
    assert muted.http.patch(path, json={"name": before["name"]}).status_code == 200
    assert change(people["owner"], room_id, muted, **MUTED).status_code == 200
    async with people["member"].connect() as listener:
        for body in ({"name": "what I wanted to say"}, {"meta": {"said": "here"}}):
            error = error_of(muted.http.patch(path, json=body), 403, "muted")
            assert error["retryAfter"] > 1
        assert "room:updated" not in [frame["event"] for frame in await listener.read_all()]
    after = room_of(muted, room_id)
    assert [after[field] for field in ("name", "meta")] == [before[field] for field in ("name", "meta")]
    assert change(people["owner"], room_id, muted, mutedUntil=None).status_code == 200
    assert muted.http.patch(path, json={"name": "better"}).status_code == 200


def test_mute_when_of_the_only_owner_then_they_lift_it(people: dict[str, ChatUser]) -> None:
    owner, admin = people["owner"], people["admin"]
    room_id = owner.make_room(admin)
    assert change(owner, room_id, admin, role="admin").status_code == 200
    assert change(owner, room_id, owner, **MUTED).status_code == 200
    error_of(change(admin, room_id, owner, mutedUntil=None), 403, "forbidden")
    assert change(owner, room_id, owner, mutedUntil=None).json()["mutedUntil"] is None


def test_mute_when_ended_or_made_longer_by_the_muted_then_is_stored(people: dict[str, ChatUser]) -> None:
    room_id, admin = make_room(people), people["admin"]
    assert change(admin, room_id, admin, mutedUntil=moment(hours=-1)).status_code == 200
    assert change(admin, room_id, admin, mutedUntil=None).status_code == 200
    assert change(people["owner"], room_id, admin, **MUTED).status_code == 200
    later = "2100-01-01T00:00:00.000Z"
    assert change(admin, room_id, admin, mutedUntil=later).json()["mutedUntil"] == later


async def test_member_when_changed_to_what_they_are_then_nobody_is_told(people: dict[str, ChatUser]) -> None:
    room_id, owner, member = make_room(people), people["owner"], people["member"]
    assert change(owner, room_id, member, **MUTED).status_code == 200
    assert owner.http.patch(f"/api/rooms/{room_id}", json={"meta": {"a": [1]}}).status_code == 200
    async with member.connect() as client:
        for body in ({"role": "member"}, MUTED, {"role": "member", **MUTED}):
            assert change(owner, room_id, member, **body).status_code == 200
        same = {"name": room_of(owner, room_id)["name"], "meta": {"a": [1]}}
        assert owner.http.patch(f"/api/rooms/{room_id}", json=same).status_code == 200
        events = {frame["event"] for frame in [*await client.read_all(), *client.frames]}
    assert events.isdisjoint({"room:member", "room:updated"})
