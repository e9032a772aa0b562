"""Which sessions are live."""

from datetime import timedelta

import pytest

from accounts import selectors, services, sessions
from accounts.models import Session, User
from foundation import loop, times
from foundation.errors import Forbidden, Unauthenticated

CLIENT = {"ip": "192.0.2.1", "user_agent": "test"}


def test_session_when_expired_then_is_neither_live_nor_listed(user: User) -> None:
    loop.call(sessions.open_session(user=user, **CLIENT))
    session = Session.objects.get()
    assert selectors.live_session(session_id=session.pk).user == user
    assert selectors.user_sessions(user_id=user.pk).count() == 1
    Session.objects.update(expires_at=times.now() - timedelta(seconds=1))
    assert selectors.user_sessions(user_id=user.pk).count() == 0
    with pytest.raises(Unauthenticated):
        selectors.live_session(session_id=session.pk)


def test_user_when_reactivated_then_old_sessions_stay_ended(user: User) -> None:
    loop.call(sessions.open_session(user=user, **CLIENT))
    session_id = Session.objects.get().pk
    loop.call(services.deactivate_user(user_id=user.pk))
    with pytest.raises(Forbidden):
        selectors.live_session(session_id=session_id)
    loop.call(services.reactivate_user(user_id=user.pk))
    with pytest.raises(Unauthenticated):
        selectors.live_session(session_id=session_id)
