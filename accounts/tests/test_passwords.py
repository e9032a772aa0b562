"""Checks of passwords: their cost, and how many may wait."""

from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password

from accounts import passwords
from foundation import loop
from foundation.errors import Overloaded
from tests.kit.users import PASSWORD


@pytest.mark.parametrize("name", ["known", "unknown", "without a password"])
def test_check_when_the_user_is_unknown_then_costs_one_hash_too(
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


def test_check_when_too_many_wait_then_is_overloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_waiting", passwords.MAX_WAITING)
    with pytest.raises(Overloaded):
        loop.call(passwords.check("x", None))
