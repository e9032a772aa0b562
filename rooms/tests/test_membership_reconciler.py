"""Sockets compared with memberships: what no client can bring about. About a second."""

from accounts.models import User
from realtime.hub.hub import Hub
from rooms.membership_reconciler import MembershipAudit
from rooms.models import Room
from tests.kit.connections import connect


async def test_look_when_a_connection_misses_a_room_twice_then_it_is_told(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    room, (ann, _) = members
    connection, _ = await connect(hub, ann.pk)
    audit = MembershipAudit()
    await audit._look({connection})
    assert connection.take_controls() == []
    await audit._look({connection})
    assert connection.take_controls() == [("room:added", {"room_id": str(room.pk)})]


async def test_look_when_a_connection_has_ended_since_then_it_is_told_nothing_and_forgotten(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    connection, _ = await connect(hub, members[1][0].pk)
    audit = MembershipAudit()
    await audit._look({connection})
    hub.detach(connection)
    await audit._look({connection})
    assert (connection.take_controls(), audit._seen) == ([], set())
