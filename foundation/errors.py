"""The errors that a client may see: one class for each code of the contract.

A class says its code, its HTTP status, whether it is temporary, and its default message. `api.exceptions`,
`realtime.session.frame_handler` and, for a refused Socket.IO client, `realtime.socketio.peer` turn errors into
answers. chatproject/error_guide.py explains each code to clients.
"""

import math
from typing import Any, ClassVar

Fields = dict[str, list[str]]

MAX_NAMED_FIELDS = 3
MAX_NAME_CHARS = 40

# All errors by their code, in the order of docs/errors.md. A class below enters itself.
ERRORS: dict[str, type["ChatError"]] = {}


class ChatError(Exception):
    """Base of all errors a client may see.

    `message` says what was wrong and what to do. `fields` maps the name of a field on the wire to its problems.
    `retry_after` is in seconds. After a `temporary` error the same request may succeed later.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    temporary: ClassVar[bool] = False
    default_message: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Enter a class with a code of its own into ERRORS; a class without one shares its base's."""
        super().__init_subclass__()
        if "code" not in vars(cls):
            return
        if cls.__module__ != __name__:
            # The API documents list the codes when they are imported, and would miss one that comes later.
            raise TypeError(f"declare {cls.__name__}, which has a code of its own, in foundation/errors.py")
        if cls.code in ERRORS:
            raise TypeError(f"{cls.__name__} has the code of {ERRORS[cls.code].__name__}: {cls.code}")
        ERRORS[cls.code] = cls

    def __init__(
        self, message: str = "", *, fields: Fields | None = None, retry_after: float | None = None
    ) -> None:
        self.message = message or self.default_message
        self.fields = fields
        self.retry_after = retry_after
        super().__init__(self.message)

    @property
    def retry_after_whole(self) -> int | None:
        """`retry_after` in whole seconds, as the Retry-After of HTTP has it."""
        return None if self.retry_after is None else math.ceil(self.retry_after)

    def as_data(self, *, request_id: str | None) -> dict[str, Any]:
        """The error object of the contract: `{code, message, fields?, retryAfter?, requestId}`."""
        data: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.fields:
            data["fields"] = self.fields
        if self.retry_after is not None:
            data["retryAfter"] = round(self.retry_after, 3)
        data["requestId"] = request_id
        return data


class Invalid(ChatError):
    """The default message names the wrong fields and their problems."""

    code, status = "invalid", 400
    default_message = "The request is not valid; see fields."

    def __init__(
        self, message: str = "", *, fields: Fields | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message or _summary(fields or {}), fields=fields, retry_after=retry_after)


def _summary(fields: Fields) -> str:
    """The first few fields with their problems. Names are cut: an unknown one is text of the client."""
    parts = [f"{name[:MAX_NAME_CHARS]}: {' '.join(problems)}" for name, problems in fields.items()]
    more = len(parts) - MAX_NAMED_FIELDS
    return " ".join(parts[:MAX_NAMED_FIELDS]) + (f" And {more} more, see fields." if more > 0 else "")


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
    default_message = "It does not exist, or you may not see it."


class Conflict(ChatError):
    code, status = "conflict", 409
    default_message = "The request contradicts the current state. Read it again before you retry."


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


class Internal(ChatError):
    code, status, temporary = "internal", 500, True
    default_message = (
        "Something went wrong in the server. Try again; if it happens again, report the requestId."
    )
