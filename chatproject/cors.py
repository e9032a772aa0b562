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
    in_api = re.match(settings.CORS_URLS_REGEX, request.path_info) is not None
    return in_api and allowed_origins().allows(request.scope)  # type: ignore[attr-defined]
