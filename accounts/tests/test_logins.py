"""Sign-up and passwords in cases that no client can cause: races, and outdated hashes."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from accounts import logins, passwords, sessions
from accounts.models import Session, User
from foundation import loop
from foundation.database import run_db
from foundation.errors import Conflict, InvalidCredentials
from tests.kit.users import PASSWORD

CLIENT = {"ip": "192.0.2.1", "user_agent": "test"}


def test_login_when_the_hash_is_outdated_then_it_is_renewed(user: User) -> None:
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    read = User.objects.get(pk=user.pk)
    loop.call(logins.verify_password(user=read, password=PASSWORD))
    user.refresh_from_db()
    assert user.password.startswith("argon2$")
    assert user.check_password(PASSWORD)


def test_open_session_when_the_password_has_changed_then_is_ended(user: User) -> None:
    read_before = User.objects.get(pk=user.pk)
    User.objects.update(password=make_password("another one"))
    with pytest.raises(InvalidCredentials):
        loop.call(sessions.open_session(user=read_before, **CLIENT))
    assert not Session.objects.filter(revoked_at=None).exists()


def test_signup_when_another_inserts_first_then_conflicts(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def blind_at_first(self: User) -> None:
        asked.append(self)
        if len(asked) > 1:
            looks_again(self)

    looks_again = logins._require_free
    monkeypatch.setattr(logins, "_require_free", blind_at_first)
    body = {"username": "ANN", "email": "other@example.com", "password": PASSWORD}
    with pytest.raises(Conflict) as conflict:
        loop.call(logins.signup(**body, **CLIENT))
    assert list(conflict.value.fields or {}) == ["username"]
    assert User.objects.count() == 1


def test_change_password_when_changed_elsewhere_then_conflicts(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow_encode(password: str, **_: Any) -> str:
        await run_db(User.objects.filter(pk=user.pk).update, password="changed elsewhere")
        return "new"

    monkeypatch.setattr(passwords, "encode", slow_encode)
    change = {"current_password": PASSWORD, "new_password": "x"}
    with pytest.raises(Conflict):
        loop.call(logins.change_password(user_id=user.pk, session_id=None, **change))
