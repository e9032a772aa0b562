"""The SECRET_KEY that is made for development: created once, and kept in DATA_DIR."""

import fcntl
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 50
# What is shorter was being written when a process was killed or the disk was full.
MIN_CHARS = 50


def kept_key(path: Path) -> str:
    """The key in the file, which is made if there is none. Processes that start together get one key.

    Raises ImproperlyConfigured if the file cannot be read or written.
    """
    try:
        return _read_or_make(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The key in {path} can be neither read nor made: {error.strerror}."
        ) from error


def _read_or_make(path: Path) -> str:
    try:
        # Not truncated: another process may have written it a moment ago.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        # A read-only directory may hold the key.
        if key := path.read_text() if path.exists() else "":
            return key
        raise
    with open(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        key = file.read().strip()
        if len(key) < MIN_CHARS:
            key = secrets.token_urlsafe(KEY_BYTES)
            file.seek(0)
            file.truncate()
            file.write(key)
            file.flush()
            os.fsync(descriptor)
    return key
