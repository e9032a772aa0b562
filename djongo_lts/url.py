"""Builds a DATABASES entry from a mongodb:// URL. The URL reaches the driver unchanged, with all its options."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def parse(url: str) -> dict[str, Any]:
    """Returns the DATABASES entry for `mongodb[+srv]://[user:password@]host1[,host2]/name[?option=value&..]`.

    For example `mongodb://h1/chat` gives
    `{"ENGINE": "djongo_lts", "NAME": "chat", "CLIENT": {"host": "mongodb://h1/chat"}}`.
    Raises ImproperlyConfigured for another scheme or without a database name. It does not connect.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("mongodb", "mongodb+srv"):
        raise ImproperlyConfigured("A MongoDB URL must start with mongodb:// or mongodb+srv://.")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured("A MongoDB URL must name the database: mongodb://host/name.")
    return {"ENGINE": "djongo_lts", "NAME": name, "CLIENT": {"host": url}}
