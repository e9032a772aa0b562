"""Django's `authenticate`: the limits of the API's login, and the threads for passwords."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from accounts import passwords
from accounts.models import User
from foundation.errors import Overloaded
from tests.kit.users import PASSWORD

REQUEST = RequestFactory().post("/")


@pytest.fixture(autouse=True)
def unlimited(settings: Any) -> None:
    settings.RATE_LIMITS = False


def test_authenticate_when_a_password_is_given_then_the_right_one_passes(user: User) -> None:
    for login in (user.email, user.username.upper()):
        assert authenticate(REQUEST, username=login, password=PASSWORD) == user
        assert authenticate(REQUEST, username=login, password="wrong") is None
    assert authenticate(REQUEST, username="nobody", password=PASSWORD) is None
    # Without a request no address could be counted.
    assert authenticate(None, username=user.email, password=PASSWORD) is None
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert authenticate(REQUEST, username=user.email, password=PASSWORD) is None


def test_authenticate_when_too_many_wait_then_nothing_is_hashed(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords.get_hash_pool(), "_max_waiting", 0)
    with pytest.raises(Overloaded):
        authenticate(REQUEST, username=user.email, password=PASSWORD)
