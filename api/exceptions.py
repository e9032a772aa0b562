"""Turns every error of an HTTP request into an answer: `{"error": {"code", "message", ..}}`.

Errors of DRF, Django and the database become errors of `foundation.errors` first.
"""

import logging
import sys
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from foundation import context, errors
from foundation.database_errors import WritesRefused, as_unavailable
from foundation.errors import ChatError, Fields

from . import metrics
from .throttling import check_anonymous

logger = logging.getLogger(__name__)
# Series from the start: PromQL's `rate` does not count the first increase of a series that appears with it.
for _error in (errors.Unavailable, errors.Internal):
    metrics.REQUEST_ERRORS.labels(_error.code)


def answer(error: Exception, view_context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER. An unknown exception is logged and answered with `internal`."""
    chat_error, status = as_chat_error(error)
    if isinstance(error, drf.NotAuthenticated):
        try:
            check_anonymous(view_context["request"])
        except errors.RateLimited as limited:
            chat_error, status = limited, limited.status
    if isinstance(chat_error, errors.Internal):
        logger.error("unhandled error in %s", type(view_context.get("view")).__name__, exc_info=error)
    headers = getattr(error, "headers", None) or {}
    if status == 401:
        headers = {"WWW-Authenticate": 'Bearer realm="api"'}
    if (seconds := chat_error.retry_after_whole) is not None:
        headers = {**headers, "Retry-After": str(seconds)}
    if allowed := getattr(error, "auth_header", None):
        headers = {**headers, "WWW-Authenticate": allowed}
    return Response(error_body(chat_error), status=status, headers=headers)


def error_body(error: ChatError) -> dict[str, Any]:
    """The body of the answer. Counts the error."""
    metrics.REQUEST_ERRORS.labels(error.code).inc()
    return {"error": error.as_data(request_id=context.request_id.get())}


def error_page(status: int, error: ChatError) -> JsonResponse:
    """An answer outside DRF: to an unknown path, a refused host, a missing CSRF token, or after a crash."""
    return JsonResponse(error_body(error), status=status)


def as_chat_error(error: Exception) -> tuple[ChatError, int]:
    """The error of `foundation.errors` for any exception, and the HTTP status of the answer."""
    if isinstance(error, ChatError):
        return error, error.status
    if isinstance(error, drf.ValidationError):
        return _invalid(error.detail), 400
    if isinstance(error, DjangoValidationError):
        return errors.Invalid(fields={"nonField": list(error.messages)}), 400
    if isinstance(error, (Http404, drf.NotFound)):
        return errors.NotFound(), 404
    if isinstance(error, (drf.NotAuthenticated, drf.AuthenticationFailed)):
        return errors.Unauthenticated(), 401
    if isinstance(error, (PermissionDenied, drf.PermissionDenied)):
        return errors.Forbidden(str(error)), 403
    if unavailable := as_unavailable(error):
        if not isinstance(unavailable, WritesRefused):
            logger.error("the database failed", exc_info=error)
        return unavailable, unavailable.status
    if isinstance(error, TimeoutError):
        logger.error("a service did not answer in time", exc_info=error)
        return errors.Unavailable(), 503
    if isinstance(error, RequestDataTooBig):
        return errors.TooLarge(), 413
    if isinstance(error, SuspiciousOperation):
        # Django's own bounds, such as the number of query parameters.
        return errors.Invalid("The request is not valid HTTP for this server."), 400
    if isinstance(error, drf.APIException) and error.status_code < 500:
        return errors.Invalid(str(error.detail)), error.status_code
    return errors.Internal(), 500


def _invalid(detail: Any) -> errors.Invalid:
    fields = flatten(detail)
    if list(fields) == ["nonField"]:
        return errors.Invalid(" ".join(fields["nonField"]))
    return errors.Invalid(fields=fields)


def flatten(detail: Any, name: str = "") -> Fields:
    """DRF's nested details as `{field: [text]}`; nested names are joined with dots."""
    if isinstance(detail, dict):
        flat: Fields = {}
        for key, value in detail.items():
            key = "nonField" if key == "non_field_errors" else str(key)
            flat.update(flatten(value, f"{name}.{key}" if name else key))
        return flat
    texts = detail if isinstance(detail, list) else [detail]
    return {name or "nonField": [str(text) for text in texts]}


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return error_page(404, errors.NotFound(f"There is no {request.path}; /docs lists what there is."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return error_page(400, errors.Invalid("The request is not valid HTTP for this server."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return error_page(403, errors.Forbidden())


def csrf_failed(request: HttpRequest, reason: str = "") -> JsonResponse:
    return error_page(403, errors.Forbidden(f"{reason} Load the page again, or send a Bearer token.".strip()))


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler of an exception outside DRF, for example of an admin page, or of saving its session."""
    error = sys.exception()
    unavailable = as_chat_error(error)[0] if isinstance(error, Exception) else None
    chat_error = unavailable if isinstance(unavailable, errors.Unavailable) else errors.Internal()
    return error_page(chat_error.status, chat_error)
