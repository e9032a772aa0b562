"""The errors that a client raises."""

from typing import Any

# The codes of errors after which the same request may succeed later (docs/errors.md).
TEMPORARY = {"rate_limited", "overloaded", "unavailable", "internal"}


class ChatError(Exception):
    """The server refused a request. docs/errors.md describes `code`, `fields` and `retry_after` (seconds)."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.code: str = error["code"]
        self.fields: dict[str, list[str]] = error.get("fields", {})
        self.retry_after: float | None = error.get("retryAfter")
        super().__init__(f"{self.code}: {error['message']}")

    @property
    def temporary(self) -> bool:
        return self.code in TEMPORARY


class ConnectionLost(Exception):
    """The connection ended before the answer came. It is not known whether the request took effect."""


class SignedOut(Exception):
    """The session or the account has ended. The user has to log in again."""
