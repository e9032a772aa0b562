"""Checks of passwords: their cost, and how many may wait."""

import asyncio
import threading
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password, make_password

from accounts import passwords
from accounts.hashers import Argon2Hasher
from foundation import loop
from foundation.errors import Overloaded
from tests.kit.users import PASSWORD

# As some keyboards send it, and as others do.
DECOMPOSED, COMPOSED = "cafe\u0301 au lait \ufb01ne", "caf\u00e9 au lait fine"


@pytest.mark.parametrize("name", ["known", "unknown", "without a password"])
@pytest.mark.parametrize(("password", "hashes"), [("wrong", 1), ("wro\u0301ng", 2)])
def test_check_when_the_user_is_unknown_then_costs_as_much(
    name: str, password: str, hashes: int, monkeypatch: pytest.MonkeyPatch
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
    matches, _ = loop.call(passwords.check(password, encoded))
    assert not matches
    assert len(costs) == hashes


@pytest.mark.parametrize("stored", [DECOMPOSED, COMPOSED])
@pytest.mark.parametrize("given", [DECOMPOSED, COMPOSED])
def test_check_when_another_keyboard_is_used_then_is_right(stored: str, given: str) -> None:
    encoded = make_password(stored)
    matches, _ = loop.call(passwords.check(given, encoded))
    assert matches
    # Django's own forms, of the admin.
    assert check_password(given, encoded)
    assert not check_password(given + "x", encoded)


def test_check_when_the_hash_is_of_the_text_as_sent_then_is_renewed() -> None:
    encoded = Argon2PasswordHasher.encode(Argon2Hasher(), DECOMPOSED, Argon2Hasher().salt())
    assert loop.call(passwords.check(DECOMPOSED, encoded)) == (True, True)
    assert loop.call(passwords.check(COMPOSED, encoded)) == (False, False)
    assert not check_password(COMPOSED, encoded)
    renewed = loop.call(passwords.rehash(DECOMPOSED))
    assert loop.call(passwords.check(COMPOSED, renewed)) == (True, False)


async def test_run_when_too_many_wait_then_is_overloaded() -> None:
    pool, hashed = passwords.HashPool(threads=1, max_waiting=2), threading.Event()
    running = [asyncio.create_task(pool.run(hashed.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.run(hashed.wait, 30)
    hashed.set()
    assert await asyncio.gather(*running) == [True, True]
    assert await pool.run(hashed.wait, 30)
