"""The keys that sign tokens: one signs, several are accepted. Must not know what a token says."""

from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "accounts.keys"


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


@lru_cache(maxsize=32)
def _derive(secret: str) -> SigningKey:
    """A key of its own for tokens, and a public name for it, from which neither it nor `secret` can be found."""
    key = salted_hmac(f"{SALT}.sign", "token", secret=secret, algorithm="sha256").digest()
    kid = salted_hmac(f"{SALT}.kid", "token", secret=secret, algorithm="sha256").hexdigest()[:16]
    return SigningKey(kid, key)


def get_key_ring() -> KeyRing:
    """SECRET_KEY signs; those of SECRET_KEY_FALLBACKS are accepted until they are taken off the list."""
    keys = [_derive(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return KeyRing(active=keys[0], by_kid={key.kid: key for key in keys})
