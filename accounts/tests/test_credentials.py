"""The check of a password that REST and the desk share, in cases that REST refuses before."""

import pytest
from django.test import RequestFactory

from accounts.credentials import check_credentials
from accounts.models import User
from accounts.passwords import MAX_PASSWORD_CHARS
from foundation.errors import Forbidden, InvalidCredentials
from foundation.security_log import Action
from tests.kit.users import PASSWORD


def check(login: str, password: str) -> User:
    request = RequestFactory().post("/admin/login/")
    return check_credentials(request, login=login, password=password, action=Action.DESK_LOGIN)


@pytest.mark.smoke
@pytest.mark.parametrize("login", ["Ann", "ANN", "ann@example.com", " Ann@Example.com "])
def test_credentials_when_right_then_return_the_account(user: User, login: str) -> None:
    assert check(login, PASSWORD) == user


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("Ann", "wrong"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("Ann\x00", PASSWORD),
        ("Ann", PASSWORD + "x" * MAX_PASSWORD_CHARS),
    ],
)
def test_credentials_when_wrong_then_are_refused(user: User, login: str, password: str) -> None:
    with pytest.raises(InvalidCredentials):
        check(login, password)


def test_credentials_when_deactivated_then_only_the_owner_learns_it(user: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(Forbidden):
        check("Ann", PASSWORD)
    with pytest.raises(InvalidCredentials):
        check("Ann", "wrong")
