"""A password that is set past the services ends the logins of its account, in every process."""

import getpass
from collections.abc import Callable

import pytest
from django.core.management import call_command

from accounts import sessions
from accounts.models import Session, User
from foundation import loop
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

NEW_PASSWORD = "entirely other words 7"
SET = """
from accounts.models import User
user = User.objects.get(pk='{user_id}')
user.set_password('{password}')
user.save()
"""


def test_changepassword_when_run_then_sessions_and_cookies_end(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.call(sessions.open_session(user=user, ip="192.0.2.1", user_agent="test"))
    before = user.get_session_auth_hash()
    monkeypatch.setattr(getpass, "getpass", lambda prompt: NEW_PASSWORD)
    call_command("changepassword", user.email)
    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)
    assert user.get_session_auth_hash() != before
    assert not Session.objects.filter(revoked_at=None).exists()


async def test_set_password_when_in_another_process_then_sockets_close(
    start_server: Callable[..., ChatServer], redis_server: RedisServer
) -> None:
    server = start_server(REDIS_URL=redis_server.url)
    alice = server.sign_up("alice")
    async with alice.connect() as socket:
        done = server.manage("shell", "-v0", "-c", SET.format(user_id=alice.id, password=NEW_PASSWORD))
        assert await socket.close_code() == 4401
    assert alice.http.get("/api/users/me").status_code == 401
    assert '"action": "password_change"' in done.stderr
    assert NEW_PASSWORD not in done.stderr


def test_create_user_when_called_then_no_change_of_a_password_is_recorded(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.create_superuser(username="root", email="root@example.com", password=NEW_PASSWORD)
    assert [record.__dict__["action"] for record in caplog.records if record.name == "chat.security"] == [
        "role_change"
    ]
