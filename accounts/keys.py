"""The keys that sign tokens: one signs, several are accepted.

A key is derived from two secrets, one in the environment and one in the database (the seed), so neither alone can
forge a token. docs/decisions/0010 says how keys are rotated while many processes run.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from foundation import times
from foundation.database import run_db
from foundation.errors import Unavailable
from foundation.security_log import Action, Outcome, record

from .models import Session, SigningSeed

logger = logging.getLogger(__name__)

SALT = "accounts.keys"
REREAD_SECONDS = 10.0
# A new key signs when every process has read it, with a margin for clocks that differ.
SIGNS_AFTER = timedelta(seconds=60)
# A process whose clock is behind signs with the old key for a little longer.
CLOCK_SKEW = timedelta(minutes=5)

# Signed before there were seeds. Accepted until the tokens from then have expired.
NO_SEED = ""
# Of several processes that make the first seed at once, one succeeds.
FIRST_SEED_ID = UUID(int=0)
LONG_AGO = times.from_timestamp(0)


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`active` signs. Tokens signed by any key in `by_kid` are accepted."""

    active: SigningKey
    by_kid: dict[str, SigningKey]


@dataclass(frozen=True, slots=True)
class Rotation:
    """The new key, when it signs, how long older keys are accepted, and how many seeds were deleted."""

    kid: str
    signs_from: datetime
    old_accepted_until: datetime
    deleted: int


@lru_cache(maxsize=128)
def _derive(secret: str, seed: str) -> SigningKey:
    """The signing key and its public name, `kid`, from which neither the key nor its secrets can be found."""
    material = f"{secret}{seed}"
    key = salted_hmac(f"{SALT}.sign", "token", secret=material, algorithm="sha256").digest()
    kid = salted_hmac(f"{SALT}.kid", "token", secret=material, algorithm="sha256").hexdigest()[:16]
    return SigningKey(kid, key)


class Seeds:
    """The seeds in the database as this process last read them, for any thread. None before the first read."""

    def __init__(self) -> None:
        self.read: tuple[tuple[datetime, str], ...] | None = None
        self._read_at = 0.0

    def is_due(self) -> bool:
        return self.read is None or time.monotonic() - self._read_at > REREAD_SECONDS

    def reread(self) -> None:
        """Read them if that is due. Raises Unavailable only if none were ever read; later the old ones stay."""
        if not self.is_due():
            return
        # Set before the read, so that other threads do not read as well.
        self._read_at = time.monotonic()
        try:
            self.read = _read_seeds() or _make_and_read()
        except Exception as error:
            logger.warning("the signing keys could not be read: %s", type(error).__name__)
            if self.read is None:
                raise Unavailable from error


@cache
def get_seeds() -> Seeds:
    """The seeds of this process."""
    return Seeds()


def get_key_ring() -> KeyRing:
    """The keys that this process uses now.

    The newest seed whose time has come signs, with SECRET_KEY. A seed is accepted until the last token that it
    signed has expired, with SECRET_KEY and with each of SECRET_KEY_FALLBACKS.
    """
    now = times.now()
    accepted, active = [NO_SEED], NO_SEED
    for signs_from, seed in get_seeds().read or ():
        if signs_from + _lifetime() < now:
            accepted.clear()
        accepted.append(seed)
        if signs_from <= now:
            active = seed
    secrets_ = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    keys = [_derive(secret, seed) for seed in accepted for secret in secrets_]
    return KeyRing(active=_derive(settings.SECRET_KEY, active), by_kid={key.kid: key for key in keys})


async def refresh() -> None:
    """Read the seeds again if that is due. Async code calls this before it signs or checks tokens; a thread that
    may use the database calls `get_seeds().reread()`.

    Raises Unavailable if no seeds were ever read.
    """
    if get_seeds().is_due():
        await run_db(get_seeds().reread)


def make_first_seed() -> None:
    """Add a seed if there is none: SECRET_KEY alone forges nothing. Safe to repeat, and to run twice at once.

    `migrate` calls this, and a process that finds no seed, for example in a restored database. If sessions are
    live, it is a rotation: the tokens that SECRET_KEY alone signed stay valid until they expire.
    """
    if SigningSeed.objects.exists():
        return
    now = times.now()
    is_used = Session.objects.filter(revoked_at=None, expires_at__gt=now).exists()
    first = SigningSeed(
        pk=FIRST_SEED_ID, seed=secrets.token_hex(32), signs_from=now + SIGNS_AFTER if is_used else LONG_AGO
    )
    SigningSeed.objects.bulk_create([first], ignore_conflicts=True)
    if SigningSeed.objects.filter(seed=first.seed).exists():
        kid = _derive(settings.SECRET_KEY, first.seed).kid
        record(Action.KEY_ROTATION, outcome=Outcome.OK, kid=kid, signs_from=times.to_wire(first.signs_from))


def _make_and_read() -> tuple[tuple[datetime, str], ...]:
    make_first_seed()
    return _read_seeds()


def rotate(*, signs_after: timedelta = SIGNS_AFTER) -> Rotation:
    """Add a key that signs after `signs_after`, and delete the seeds whose tokens have all expired."""
    now = times.now()
    expired = [signs_from for signs_from, _ in _read_seeds() if signs_from + _lifetime() < now]
    # The seeds before the last of these stopped signing longer ago than any token lives.
    deleted = SigningSeed.objects.filter(signs_from__lt=expired[-1]).delete()[0] if expired else 0
    new = SigningSeed.objects.create(seed=secrets.token_hex(32), signs_from=now + signs_after)
    kid = _derive(settings.SECRET_KEY, new.seed).kid
    record(Action.KEY_ROTATION, outcome=Outcome.OK, kid=kid, signs_from=times.to_wire(new.signs_from))
    return Rotation(
        kid=kid,
        signs_from=new.signs_from,
        old_accepted_until=new.signs_from + _lifetime(),
        deleted=deleted,
    )


def _read_seeds() -> tuple[tuple[datetime, str], ...]:
    return tuple(SigningSeed.objects.order_by("signs_from", "pk").values_list("signs_from", "seed"))


def _lifetime() -> timedelta:
    return timedelta(seconds=max(settings.REFRESH_TOKEN_SECONDS, settings.ACCESS_TOKEN_SECONDS)) + CLOCK_SKEW
