"""Requests over time, per address when anonymous and per user when not, counted by django-ratelimit.

Knows django-ratelimit, the shared cache and what stands in for it; must not know any app.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from rest_framework.throttling import BaseThrottle

from foundation.errors import RateLimited
from foundation.limits.local import get_local_limiter
from foundation.limits.rates import Rate
from foundation.metrics import LIMITED
from foundation.redis.outage import REDIS_AWAY, get_outage

from .clients import client_network


def check_rate(request: HttpRequest, *, group: str, key: str, rate: Rate) -> None:
    """Count one request under `key`; raise RateLimited with `retry_after` when it is over `rate`.

    While the cache is away each process counts for itself: neither may everybody try passwords without end,
    nor may nobody log in.
    """
    if not settings.RATE_LIMITS:
        return
    outage = get_outage()
    if not outage.lasts():
        try:
            usage = get_usage(request, group=group, key=lambda group, request: key, rate=rate, increment=True)
        except (ConnectionInterrupted, *REDIS_AWAY) as error:
            outage.began(error)
        else:
            outage.ended()
            if usage is not None and usage["should_limit"]:
                LIMITED.labels(group).inc()
                raise RateLimited(retry_after=max(1, usage["time_left"]))
            return
    get_local_limiter().check((f"{group}:{key}", rate))


class RestThrottle(BaseThrottle):
    """LIMIT_REST_ANON for each address, LIMIT_REST_USER for each user."""

    def allow_request(self, request: Any, view: Any) -> bool:
        if request.user.is_authenticated:
            check_rate(request, group="rest-user", key=str(request.user.pk), rate=settings.LIMIT_REST_USER)
        else:
            check_anonymous(request)
        return True


def check_anonymous(request: Any) -> None:
    """Count a request as its address's, once: DRF refuses one without a good token before it asks a throttle."""
    if not getattr(request, "counted_as_anonymous", False):
        request.counted_as_anonymous = True
        key = client_network(request.META)
        check_rate(request, group="rest-anon", key=key, rate=settings.LIMIT_REST_ANON)
