"""A request id on every request and answer, and one access record for each: who, what, how it ended, how long."""

import logging
import re
import time
from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import async_only_middleware

from api.clients import client_address
from foundation import context, tracing
from foundation.ids import uuid7

logger = logging.getLogger("chat.access")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
QUIET = {"healthz", "readyz", "metrics"}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


@async_only_middleware
def request_log(get_response: Handler) -> Handler:
    async def middleware(request: HttpRequest) -> HttpResponse:
        request_id = request.headers.get("X-Request-ID", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid7())
        context.request_id.set(request_id)
        context.client_ip.set(client_address(request.META))
        context.user_id.set(None)
        started = time.perf_counter()
        with tracing.span(f"HTTP {request.method if request.method in METHODS else 'other'}"):
            response = await get_response(request)
            route = getattr(request.resolver_match, "route", None) if request.resolver_match else None
            tracing.note(route=route, status=response.status_code)
        response["X-Request-ID"] = request_id
        quiet = request.resolver_match is not None and request.resolver_match.url_name in QUIET
        logger.log(
            logging.DEBUG if quiet else logging.INFO,
            "request",
            extra={
                "method": request.method,
                "route": route,  # never the path or query as sent: they may hold ids, search text or a token
                "status": response.status_code,
                "durationMs": round((time.perf_counter() - started) * 1000, 1),
            },
        )
        return response

    return middleware
