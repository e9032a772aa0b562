"""Requests over time, per address when anonymous and per user when not, counted by django-ratelimit.

Knows django-ratelimit and the shared cache; must not know any app.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from rest_framework.throttling import BaseThrottle

from realtime.errors import RateLimited
from realtime.rates import Rate

from .clients import client_network


def check_rate(request: HttpRequest, *, group: str, key: str, rate: Rate) -> None:
    """Count one request under `key`; raise RateLimited with `retry_after` when it is over `rate`."""
    if not settings.RATE_LIMITS:
        return
    usage = get_usage(request, group=group, key=lambda group, request: key, rate=rate, increment=True)
    if usage is not None and usage["should_limit"]:
        raise RateLimited(retry_after=max(1, usage["time_left"]))


class RestThrottle(BaseThrottle):
    """LIMIT_REST_ANON for each address, LIMIT_REST_USER for each user."""

    def allow_request(self, request: Any, view: Any) -> bool:
        if request.user.is_authenticated:
            check_rate(request, group="rest-user", key=str(request.user.pk), rate=settings.LIMIT_REST_USER)
        else:
            check_rate(
                request, group="rest-anon", key=client_network(request.META), rate=settings.LIMIT_REST_ANON
            )
        return True
