"""Decides which origins may use REST: those whose sockets are accepted, according to ALLOWED_ORIGINS.

django-cors-headers writes the headers; it asks here through its signal.
"""

import re
from functools import cache
from typing import Any

from corsheaders.signals import check_request_enabled
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest

from realtime.session.origin import AllowedOrigins


@cache
def allowed_origins() -> AllowedOrigins:
    return AllowedOrigins(None, settings.ALLOWED_ORIGINS)


@receiver(check_request_enabled)
def allows(sender: Any, request: HttpRequest, **kwargs: Any) -> bool:
    """The signal is sent for every request, so the path is checked here too."""
    return _in_api(request.path_info) and allowed_origins().allows(request.scope)  # type: ignore[attr-defined]


def _in_api(path: str) -> bool:
    return re.match(settings.CORS_URLS_REGEX, path) is not None


def cors_headers(scope: Any) -> list[tuple[bytes, bytes]]:
    """The headers with which a page may read an answer that is given in front of Django."""
    origin = dict(scope["headers"]).get(b"origin")
    if origin is None or not (_in_api(scope["path"]) and allowed_origins().allows(scope)):
        return []
    exposed = ", ".join(settings.CORS_EXPOSE_HEADERS).encode()
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", exposed),
        (b"vary", b"origin"),
    ]
