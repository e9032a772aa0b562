"""Rate limits of REST requests, counted by django-ratelimit: per user with a token, per address without one.

Each kind of request has a count of its own, so that none uses up another: bad tokens do not use up logins.
"""

import hashlib
from typing import Any

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from rest_framework.throttling import BaseThrottle

from foundation.errors import ChatError, RateLimited, TokenExpired
from foundation.limits.declaration import NamedLimit
from foundation.limits.local import get_local_limiter
from foundation.limits.named import BAD_TOKENS, REST_ANON, REST_USER
from foundation.metrics import LIMITED
from foundation.redis.outage import REDIS_AWAY, get_outage

from .clients import client_network


def check_rate(request: HttpRequest, limit: NamedLimit, *, key: str) -> None:
    """Count one request under `key`, for example an address. Raises RateLimited when it is over the limit.

    While Redis is away each process counts for itself: passwords must not be guessed without a limit, and users
    must still be able to log in.
    """
    count = limit.of(key)
    if count is None:
        return
    outage = get_outage()
    if not outage.lasts():
        try:
            usage = get_usage(
                request, group=limit.name, key=lambda group, request: key, rate=count.rate, increment=True
            )
        except (ConnectionInterrupted, *REDIS_AWAY) as error:
            outage.began(error)
        else:
            outage.ended()
            if usage is not None and usage["should_limit"]:
                LIMITED.labels(limit.scope).inc()
                raise RateLimited(retry_after=max(1, usage["time_left"]))
            return
    get_local_limiter().check(count)


class RestThrottle(BaseThrottle):
    """Counts each request for its user, or for its address if it has no token."""

    def allow_request(self, request: Any, view: Any) -> bool:
        if request.user.is_authenticated:
            check_rate(request, REST_USER, key=str(request.user.pk))
        else:
            check_anonymous(request)
        return True


def check_anonymous(request: Any) -> None:
    """Count a request without a token for its address.

    `api.exceptions` calls this too: DRF refuses a request that needs a token before it asks a throttle.
    """
    check_rate(request, REST_ANON, key=client_network(request.META))


@sensitive_variables()
def check_refused_token(request: Any, token: str, error: ChatError) -> None:
    """Count a token that was just refused with `error`.

    Of an expired one the signature is right. It is counted for itself: where many clients share an address, each
    has one such request for every access token, and has to learn that it is time to refresh.
    """
    key = client_network(request.META)
    if isinstance(error, TokenExpired):
        key = hashlib.sha256(token.encode()).hexdigest()
    check_rate(request, BAD_TOKENS, key=key)
