"""The comparison of sockets with sessions after a loss."""

from dataclasses import replace
from uuid import UUID

import pytest

from accounts import sessions
from accounts.models import Session, User
from accounts.session_reconciler import SessionReconciler
from foundation import times
from foundation.database import run_db
from realtime.hub.hub import Hub
from realtime.session.connection import Connection
from realtime.wire.close_codes import CloseCode
from tests.kit.connections import connect

CLIENT = {"ip": "192.0.2.1", "user_agent": "test"}


async def open_socket(hub: Hub, user: User) -> tuple[Connection, UUID]:
    """A connection of a new session of the user."""
    await sessions.open_session(user=user, **CLIENT)
    session = await run_db(Session.objects.order_by("-pk").first)
    assert session is not None
    connection, _ = await connect(hub, user.pk)
    connection.identity = replace(connection.identity, session_id=session.pk)
    return connection, session.pk


@pytest.mark.parametrize("event", ["logout", "deactivation"])
async def test_compare_when_a_control_was_lost_then_the_socket_closes(
    hub: Hub, user: User, event: str
) -> None:
    (ended, session_id), (other, _) = await open_socket(hub, user), await open_socket(hub, user)
    # Written without a service, so that no process is told.
    if event == "logout":
        await run_db(Session.objects.filter(pk=session_id).update, revoked_at=times.now())
        expected = {ended: (CloseCode.UNAUTHENTICATED, "session ended"), other: None}
    else:
        await run_db(User.objects.filter(pk=user.pk).update, is_active=False)
        expected = dict.fromkeys((ended, other), (CloseCode.DEACTIVATED, "deactivated"))
    await SessionReconciler()._compare([ended, other])
    assert {connection: connection.closing for connection in (ended, other)} == expected


async def test_compare_when_all_sessions_are_live_then_no_socket_closes(hub: Hub, user: User) -> None:
    connection, _ = await open_socket(hub, user)
    await SessionReconciler()._compare([connection])
    assert connection.closing is None
