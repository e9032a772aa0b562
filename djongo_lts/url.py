"""A DATABASES entry from a mongodb:// URL.
Knows the form of the URL; must not connect, and hands every option to the driver as it stands.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def parse(url: str) -> dict[str, Any]:
    """DATABASES entry for `mongodb[+srv]://[user:password@]host1[,host2]/name[?option=value&..]`."""
    parts = urlsplit(url)
    if parts.scheme not in ("mongodb", "mongodb+srv"):
        raise ImproperlyConfigured("A MongoDB URL starts with mongodb:// or mongodb+srv://.")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured("A MongoDB URL names the database: mongodb://host/name.")
    return {"ENGINE": "djongo_lts", "NAME": name, "CLIENT": {"host": url}}
