"""How the entries of the audit log are signed: each with a key and with the digest of the entry before.

The key is derived from AUDIT_KEY or SECRET_KEY, so who can only write to the database forges no entry. An entry
without a key id is of a release before that: a plain SHA-256.
"""

import hashlib
import hmac
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.crypto import salted_hmac

from foundation import times

# Whatever LOG_LEVEL is, the digest of each new entry is written here, so outside the database.
logger = logging.getLogger("chat.audit")

SALT = "moderation.chain"
# The action of the entry that follows those without a key, made by the migration.
SEAL = "seal_log"
KEY_ID_CHARS = 16
# In this order they are encoded; a new field of an entry comes at the end, for entries that have it.
FIELDS = (
    "id", "seq", "at", "actor_id", "actor_name", "action", "outcome", "target_kind", "target_id", "target_name",
    "reason", "details", "ip", "request_id", "previous",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditKey:
    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"AuditKey({self.id})"


def signing_key() -> AuditKey:
    return _derive(settings.AUDIT_KEY or settings.SECRET_KEY)


def find_key(key_id: str) -> AuditKey | None:
    """The key with this id among those of the settings, old ones too."""
    secrets = (
        settings.AUDIT_KEY,
        settings.SECRET_KEY,
        *settings.AUDIT_KEY_FALLBACKS,
        *settings.SECRET_KEY_FALLBACKS,
    )
    return next((key for secret in secrets if secret and (key := _derive(secret)).id == key_id), None)


def sign(entry: Any, *, after: Any) -> None:
    """Make the entry the one after `after`, the last one, or the first one after None."""
    key = signing_key()
    entry.seq, entry.previous = (after.seq + 1, after.digest) if after else (1, "")
    entry.key_id = key.id
    entry.digest = digest_of(entry, key)


def digest_of(entry: Any, key: AuditKey | None) -> str:
    """The digest that the entry has if it is as it was written. `key` is None for an entry without a key id."""
    if key is None:
        return hashlib.sha256(_encode(entry, FIELDS)).hexdigest()
    return hmac.new(key.secret, _encode(entry, (*FIELDS, "key_id")), hashlib.sha256).hexdigest()


def log_head(entry: Any) -> None:
    """Write the number and digest of a stored entry to the log: `verify_audit --expect SEQ:DIGEST` takes them."""
    logger.info("audit entry", extra={"seq": entry.seq, "digest": entry.digest})


@lru_cache(maxsize=32)
def _derive(secret: str) -> AuditKey:
    """The key and its public name, from which neither the key nor its secret can be found."""
    key = salted_hmac(f"{SALT}.sign", "audit", secret=secret, algorithm="sha256").digest()
    key_id = salted_hmac(f"{SALT}.id", "audit", secret=secret, algorithm="sha256").hexdigest()
    return AuditKey(key_id[:KEY_ID_CHARS], key)


def _encode(entry: Any, names: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(
        [[name, _plain(getattr(entry, name))] for name in names], order="deterministic"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return times.to_wire(value)
    return str(value) if isinstance(value, UUID) else value
