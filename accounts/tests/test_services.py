"""What no client can bring about by itself: races and old hashes. In this process, on a database of its own."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.db import IntegrityError, transaction

from accounts import passwords, selectors, services, sessions
from accounts.models import Session, User, fold
from foundation import loop, times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, InvalidCredentials, Overloaded, Unauthenticated
from tests.kit.users import PASSWORD

CLIENT = {"ip": "192.0.2.1", "user_agent": "test"}


@pytest.fixture
def user(transactional_db: Any) -> User:
    return User.objects.create_user(username="Ann", email="Ann@Example.com", password=PASSWORD)


def test_last_seen_recorded_out_of_order_then_only_moves_up(user: User) -> None:
    now = times.now()
    for moment in (now, now - timedelta(minutes=1), now + timedelta(minutes=1), now):
        loop.call(services.record_last_seen(seen={user.pk: moment}))
    user.refresh_from_db()
    assert user.last_seen == now + timedelta(minutes=1)


def test_login_with_a_hash_of_an_older_kind_then_it_is_renewed(user: User) -> None:
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    loop.call(services.login(email="ann@example.com", password=PASSWORD, **CLIENT))
    user.refresh_from_db()
    assert user.password.startswith("argon2$")
    assert user.check_password(PASSWORD)


def test_session_opened_while_the_password_was_changed_then_is_ended_at_once(user: User) -> None:
    read_before = User.objects.get(pk=user.pk)
    User.objects.update(password=make_password("another one"))
    with pytest.raises(InvalidCredentials):
        loop.call(sessions.open_session(user=read_before, **CLIENT))
    assert not Session.objects.filter(revoked_at=None).exists()


def test_signup_that_loses_the_race_at_the_insert_then_conflicts(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def blind_at_first(self: User) -> None:
        asked.append(self)
        if len(asked) > 1:
            looks_again(self)

    looks_again = services._require_free
    monkeypatch.setattr(services, "_require_free", blind_at_first)
    body = {"username": "ANN", "email": "other@example.com", "password": PASSWORD}
    with pytest.raises(Conflict) as conflict:
        loop.call(services.signup(**body, **CLIENT))
    assert list(conflict.value.fields or {}) == ["username"]
    assert User.objects.count() == 1


def test_two_password_changes_at_once_then_the_second_conflicts(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow_encode(password: str, **_: Any) -> str:
        await run_db(User.objects.filter(pk=user.pk).update, password="changed elsewhere")
        return "new"

    monkeypatch.setattr(passwords, "encode", slow_encode)
    change = {"current_password": PASSWORD, "new_password": "x"}
    with pytest.raises(Conflict):
        loop.call(services.change_password(user_id=user.pk, session_id=None, **change))


def test_session_past_its_end_then_is_not_live_and_not_listed(user: User) -> None:
    loop.call(sessions.open_session(user=user, **CLIENT))
    session = Session.objects.get()
    assert selectors.live_session(session_id=session.pk).user == user
    assert selectors.user_sessions(user_id=user.pk).count() == 1
    Session.objects.update(expires_at=times.now() - timedelta(seconds=1))
    assert selectors.user_sessions(user_id=user.pk).count() == 0
    with pytest.raises(Unauthenticated):
        selectors.live_session(session_id=session.pk)


def test_deactivated_user_then_has_no_live_session_for_ever(user: User) -> None:
    loop.call(sessions.open_session(user=user, **CLIENT))
    session_id = Session.objects.get().pk
    loop.call(services.deactivate_user(user_id=user.pk))
    with pytest.raises(Forbidden):
        selectors.live_session(session_id=session_id)
    loop.call(services.reactivate_user(user_id=user.pk))
    with pytest.raises(Unauthenticated):
        selectors.live_session(session_id=session_id)


@pytest.mark.parametrize("name", ["known", "unknown", "without a password"])
def test_password_check_then_costs_one_hash_whoever_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = {"known": make_password(PASSWORD), "unknown": None, "without a password": make_password(None)}[
        name
    ]
    costs = []
    for method in ("encode", "verify"):
        real = getattr(Argon2PasswordHasher, method)

        def counted(*args: Any, _real: Any = real, _method: str = method) -> Any:
            costs.append(_method)
            return _real(*args)

        monkeypatch.setattr(Argon2PasswordHasher, method, counted)
    assert loop.call(passwords.check("wrong", encoded)) == (False, False)
    assert len(costs) == 1


def test_password_checks_over_the_bound_then_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_waiting", passwords.MAX_WAITING)
    with pytest.raises(Overloaded):
        loop.call(passwords.check("x", None))


def test_manager_by_natural_key_then_takes_username_or_email_in_any_case(user: User) -> None:
    assert User.objects.get_by_natural_key("aNN") == user
    assert User.objects.get_by_natural_key(" ANN@example.COM") == user
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)


def test_key_of_a_name_then_ignores_case_width_and_composition() -> None:
    assert fold("ＡＬＩＣＥ") == fold("alice")  # noqa: RUF001
    assert fold("E\u0301lan Straße") == fold("ÉLAN STRASSE")
    assert len(fold("\ufdfa" * 64)) == 64


def test_usernames_with_one_key_then_the_database_refuses_the_second(user: User) -> None:
    other = User.objects.build(username="aNN", email="other@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()
