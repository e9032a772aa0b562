"""Gives every request an id, and logs one access record for each: user, address, route, status and duration."""

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
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


def valid_request_id(text: str) -> str:
    """The id that a trusted proxy sent, or a new one."""
    return text if REQUEST_ID.fullmatch(text) else str(uuid7())


@async_only_middleware
def request_log(get_response: Handler) -> Handler:
    """Takes the id from X-Request-ID if it is valid, sets the log context, and returns the id in the answer."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        request_id = valid_request_id(request.headers.get("X-Request-ID", ""))
        context.request_id.set(request_id)
        context.client_ip.set(client_address(request.META))
        context.user_id.set(None)
        started = time.perf_counter()
        with tracing.span(f"HTTP {request.method if request.method in METHODS else 'other'}"):
            response = await get_response(request)
            route = getattr(request.resolver_match, "route", None) if request.resolver_match else None
            tracing.note(route=route, status=response.status_code)
        response["X-Request-ID"] = request_id
        logger.info(
            "request",
            extra={
                "method": request.method,
                # Not the path and the query as sent: they may contain ids, search text or a token.
                "route": route,
                "status": response.status_code,
                "durationMs": round((time.perf_counter() - started) * 1000, 1),
            },
        )
        return response

    return middleware
