"""The one family of errors that domain code raises, each with its code of the contract.

Knows codes and HTTP statuses; must not know requests, sockets or any app. `api.exceptions` and
`realtime.session.endpoint` are the two places that turn these into answers.
"""

from typing import Any, ClassVar

Fields = dict[str, list[str]]

MAX_NAMED_FIELDS = 3
MAX_NAME_CHARS = 40


class ChatError(Exception):
    """Base of all errors a client may see.

    `message` says what was wrong and what to do; `fields` maps a wire field name to what is wrong with it;
    `retry_after` is in seconds. `temporary` codes may be tried again unchanged.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    temporary: ClassVar[bool] = False
    default_message: ClassVar[str] = (
        "Something went wrong on our side. Try again; quote the requestId if it stays."
    )

    def __init__(
        self, message: str = "", *, fields: Fields | None = None, retry_after: float | None = None
    ) -> None:
        self.message = message or self.default_message
        self.fields = fields
        self.retry_after = retry_after
        super().__init__(self.message)

    def as_data(self, *, request_id: str | None) -> dict[str, Any]:
        """The error object of the contract: `{code, message, fields?, retryAfter?, requestId}`."""
        data: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.fields:
            data["fields"] = self.fields
        if self.retry_after is not None:
            data["retryAfter"] = round(self.retry_after, 3)
        data["requestId"] = request_id
        return data


class Internal(ChatError):
    temporary = True


class Invalid(ChatError):
    """Without a message of its own it says which fields are wrong and why."""

    code, status = "invalid", 400
    default_message = "The request is not valid; see fields."

    def __init__(
        self, message: str = "", *, fields: Fields | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message or _told(fields or {}), fields=fields, retry_after=retry_after)


def _told(fields: Fields) -> str:
    """The first few fields with what is wrong with them; unknown names are the client's, so they are cut."""
    told = [f"{name[:MAX_NAME_CHARS]}: {' '.join(texts)}" for name, texts in fields.items()]
    more = len(told) - MAX_NAMED_FIELDS
    return " ".join(told[:MAX_NAMED_FIELDS]) + (f" And {more} more, see fields." if more > 0 else "")


class UnknownEvent(ChatError):
    code, status = "unknown_event", 400
    default_message = "There is no such event; /docs/events lists them all."


class InvalidCredentials(ChatError):
    code, status = "invalid_credentials", 401
    default_message = "Email or password is wrong."


class Unauthenticated(ChatError):
    code, status = "unauthenticated", 401
    default_message = "Log in and send the access token as 'Authorization: Bearer <token>'."


class TokenExpired(ChatError):
    code, status = "token_expired", 401
    default_message = "The access token has expired. Get a new one at /api/auth/refresh."


class TokenReused(ChatError):
    code, status = "token_reused", 401
    default_message = "This refresh token was used before, so its session has been ended. Log in again."


class Forbidden(ChatError):
    code, status = "forbidden", 403
    default_message = "You may not do this."


class Muted(ChatError):
    code, status = "muted", 403
    default_message = "An admin of the room has muted you. Wait for retryAfter seconds."


class NotFound(ChatError):
    code, status = "not_found", 404
    default_message = "There is no such thing, or it is not yours to see."


class Conflict(ChatError):
    code, status = "conflict", 409
    default_message = "This does not go with what is there already; read it again before you try."


class TooLarge(ChatError):
    code, status = "too_large", 413
    default_message = "The request is too large."


class RateLimited(ChatError):
    code, status = "rate_limited", 429
    default_message = "Too many requests. Wait for retryAfter seconds."


class Overloaded(ChatError):
    code, status, temporary = "overloaded", 503, True
    default_message = "The server is at its limit. Try again in a moment."


class Unavailable(ChatError):
    code, status, temporary = "unavailable", 503, True
    default_message = "A part of the server is away for a moment. Try again."


ERRORS: dict[str, type[ChatError]] = {
    error.code: error
    for error in (
        Invalid, UnknownEvent, InvalidCredentials, Unauthenticated, TokenExpired, TokenReused, Forbidden, Muted,
        NotFound, Conflict, TooLarge, RateLimited, Overloaded, Unavailable, Internal,
    )
}  # fmt: skip
