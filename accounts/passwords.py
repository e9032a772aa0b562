"""Hashes and checks passwords on a few threads of their own.

Argon2 takes some 100 MB and 50 ms of all cores each time. So that a flood of logins neither fills the memory nor
blocks the threads of the database, HASH_THREADS run at once, MAX_WAITING wait, and the rest get Overloaded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from django.contrib.auth.hashers import is_password_usable, make_password, verify_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from foundation.errors import Invalid, Overloaded

from .hashers import normalise
from .models import User

T = TypeVar("T")

HASH_THREADS = 2
MAX_WAITING = 100

# The cost of hashing grows with the length.
MAX_PASSWORD_CHARS = 256


@sensitive_variables()
async def encode(password: str, *, user: User, field: str) -> str:
    """The hash to store. Raises Invalid, which names `field`, for a password that the validators refuse."""
    return await get_hash_pool().run(_encode, password, user, field)


@sensitive_variables()
async def check(password: str, encoded: str | None) -> tuple[bool, bool]:
    """Whether the password is right, and whether its hash is outdated and should be renewed.

    Without a hash, for an unknown email, the answer is False after the same work.
    """
    return await get_hash_pool().run(_check, password, encoded)


@sensitive_variables()
async def rehash(password: str) -> str:
    """A current hash of a password that has been checked."""
    return await get_hash_pool().run(make_password, password)


@sensitive_variables()
def _encode(password: str, user: User, field: str) -> str:
    try:
        validate_password(normalise(password), user)
    except ValidationError as error:
        raise Invalid(fields={field: list(error.messages)}) from None
    return make_password(password)


@sensitive_variables()
def _check(password: str, encoded: str | None) -> tuple[bool, bool]:
    if encoded is None or not is_password_usable(encoded):
        make_password(password)
        return False, False
    matches, outdated = verify_password(password, encoded)
    # The hash may be of the password as it was sent, from a time before hashes of normalised ones.
    return matches, outdated or password != normalise(password)


class HashPool:
    """The threads that hash, and a bound on the calls that wait for them. Used on the process's loop."""

    def __init__(self, *, threads: int = HASH_THREADS, max_waiting: int = MAX_WAITING) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="chat-hash")
        self._max_waiting = max_waiting
        self._waiting = 0

    @sensitive_variables()
    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """What `work` returns in a thread. Raises Overloaded while `max_waiting` calls wait or run."""
        if self._waiting >= self._max_waiting:
            raise Overloaded("Too many logins at once. Try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1


@cache
def get_hash_pool() -> HashPool:
    """The pool of this process."""
    return HashPool()
