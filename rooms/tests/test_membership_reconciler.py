"""The comparison of sockets with memberships, in cases that no client can cause. About a second."""

from accounts.models import User
from realtime.hub.hub import Hub
from rooms.membership_reconciler import MembershipReconciler
from rooms.models import Room
from tests.kit.connections import connect


async def test_compare_when_a_room_is_missing_twice_then_the_socket_gets_it(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    room, (ann, _) = members
    connection, _ = await connect(hub, ann.pk)
    reconciler = MembershipReconciler()
    await reconciler._compare({connection})
    assert connection.take_controls() == []
    await reconciler._compare({connection})
    assert connection.take_controls() == [("room:added", {"room_id": str(room.pk)})]


async def test_compare_when_the_connection_has_ended_then_it_gets_nothing(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    connection, _ = await connect(hub, members[1][0].pk)
    reconciler = MembershipReconciler()
    await reconciler._compare({connection})
    hub.detach(connection)
    await reconciler._compare({connection})
    assert (connection.take_controls(), reconciler._found_before) == ([], set())


async def test_compare_when_the_connection_is_left_out_then_it_gets_nothing(
    hub: Hub, members: tuple[Room, list[User]]
) -> None:
    """While a connection is subscribed to many rooms, it lacks the rest of them."""
    room, (ann, _) = members
    connection, _ = await connect(hub, ann.pk)
    reconciler = MembershipReconciler()
    reconciler.leave_out(connection)
    await reconciler._compare({connection})
    await reconciler._compare({connection})
    assert connection.take_controls() == []
    reconciler.take_in(connection)
    await reconciler._compare({connection})
    await reconciler._compare({connection})
    assert connection.take_controls() == [("room:added", {"room_id": str(room.pk)})]
