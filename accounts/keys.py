"""The keys that sign tokens: one signs, several are accepted. Must not know what a token says.

A key is made of two secrets, one in the environment and one in the database, so neither of the two alone forges a
token. docs/decisions/0010 says how keys rotate while many processes run.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.utils.crypto import salted_hmac

from foundation import times
from foundation.database import run_db
from foundation.errors import Unavailable

from .models import SigningSeed

logger = logging.getLogger(__name__)

SALT = "accounts.keys"
REREAD_SECONDS = 10.0
# A new key begins to sign when every process has read it, with room for clocks that differ.
SIGNS_AFTER = timedelta(seconds=60)
# A process whose clock is behind signs with the old key for a little longer.
CLOCK_SKEW = timedelta(minutes=5)

FIRST_SEED = ""  # what signs before the first rotation


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`active` signs; whatever has a key in `by_kid` is accepted."""

    active: SigningKey
    by_kid: dict[str, SigningKey]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: who signs from when, until when the key before it is accepted, how many are gone."""

    kid: str
    signs_from: datetime
    old_accepted_until: datetime
    forgotten: int


@lru_cache(maxsize=128)
def _derive(secret: str, seed: str) -> SigningKey:
    """A key of its own for tokens, and a public name for it, from which neither it nor its parts can be found."""
    material = f"{secret}{seed}"
    key = salted_hmac(f"{SALT}.sign", "token", secret=material, algorithm="sha256").digest()
    kid = salted_hmac(f"{SALT}.kid", "token", secret=material, algorithm="sha256").hexdigest()[:16]
    return SigningKey(kid, key)


_seeds: tuple[tuple[datetime, str], ...] | None = None
_read_at = 0.0


def get_key_ring() -> KeyRing:
    """The newest seed that is due signs, with SECRET_KEY. Seeds are accepted until the last token they signed has
    ended, each with SECRET_KEY and with those of SECRET_KEY_FALLBACKS until they are taken off the list."""
    now = times.now()
    accepted, active = [FIRST_SEED], FIRST_SEED
    for signs_from, seed in _seeds or ():
        if signs_from + _lifetime() < now:
            accepted.clear()
        accepted.append(seed)
        if signs_from <= now:
            active = seed
    secrets_ = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    keys = [_derive(secret, seed) for seed in accepted for secret in secrets_]
    return KeyRing(active=_derive(settings.SECRET_KEY, active), by_kid={key.kid: key for key in keys})


async def refresh() -> None:
    """Read the seeds anew if that is due: called before tokens are signed or checked on the loop.

    Raises Unavailable only while none were ever read; later an old ring is better than none.
    """
    if _due():
        await run_db(refresh_sync)


def refresh_sync() -> None:
    """`refresh`, in a thread that may use the database."""
    global _seeds, _read_at
    if not _due():
        return
    _read_at = time.monotonic()  # before the read, so that others do not read as well
    try:
        _seeds = _stored()
    except Exception as error:
        logger.warning("the signing keys could not be read: %s", type(error).__name__)
        if _seeds is None:
            raise Unavailable from error


def rotate(*, signs_after: timedelta = SIGNS_AFTER) -> Rotation:
    """Add a key that signs once every process knows it, and forget those whose tokens have all ended."""
    now = times.now()
    ended = [signs_from for signs_from, _ in _stored() if signs_from + _lifetime() < now]
    # All before the last of these were superseded by it longer ago than any token lives.
    forgotten = SigningSeed.objects.filter(signs_from__lt=ended[-1]).delete()[0] if ended else 0
    new = SigningSeed.objects.create(seed=secrets.token_hex(32), signs_from=now + signs_after)
    return Rotation(
        kid=_derive(settings.SECRET_KEY, new.seed).kid,
        signs_from=new.signs_from,
        old_accepted_until=new.signs_from + _lifetime(),
        forgotten=forgotten,
    )


def _stored() -> tuple[tuple[datetime, str], ...]:
    return tuple(SigningSeed.objects.order_by("signs_from", "pk").values_list("signs_from", "seed"))


def _lifetime() -> timedelta:
    return timedelta(seconds=max(settings.REFRESH_TOKEN_SECONDS, settings.ACCESS_TOKEN_SECONDS)) + CLOCK_SKEW


def _due() -> bool:
    return _seeds is None or time.monotonic() - _read_at > REREAD_SECONDS
