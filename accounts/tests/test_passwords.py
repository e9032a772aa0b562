"""Checks of passwords: their cost, and how many may wait."""

import asyncio
import threading
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


async def test_run_when_too_many_wait_then_is_overloaded() -> None:
    pool, hashed = passwords.HashPool(threads=1, max_waiting=2), threading.Event()
    running = [asyncio.create_task(pool.run(hashed.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.run(hashed.wait, 30)
    hashed.set()
    assert await asyncio.gather(*running) == [True, True]
    assert await pool.run(hashed.wait, 30)
