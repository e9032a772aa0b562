"""The explanation of each error code: the text of docs/errors.md and of the page /docs/errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.views.generic import TemplateView

from foundation.errors import ERRORS


@dataclass(frozen=True, slots=True)
class Explanation:
    """`when` is the cause of the error, `do` the advice for the client or its author."""

    when: str
    do: str


GUIDE: dict[str, Explanation] = {
    "invalid": Explanation(
        "A field is missing, unknown, of the wrong type or out of range; or the body or frame is not a JSON "
        "object; or the request is not valid HTTP. With HTTP 426 it was no WebSocket handshake, at the path of the "
        "socket.",
        "Read `fields`: it names each bad field and says what is wrong with it. The same request fails again.",
    ),
    "unknown_event": Explanation(
        "The socket has no event with this name. The message suggests the most similar one.",
        "Correct the name; /docs/events lists all events. The connection stays open.",
    ),
    "invalid_credentials": Explanation(
        "The email or the password is wrong. The answer does not say which, and is the same for an unknown email.",
        "Ask the user again.",
    ),
    "unauthenticated": Explanation(
        "There is no access token, or this server did not issue it, or its session has ended (logout, password "
        "change, a reused refresh token).",
        "Refresh the token once. If that is refused too, ask the user to log in.",
    ),
    "token_expired": Explanation(
        "The token was valid and has expired. An access token lives 15 minutes unless configured otherwise.",
        "For an access token, call POST /api/auth/refresh and try again. For a refresh token, log in again.",
    ),
    "token_reused": Explanation(
        "A refresh token was used again after its successor was used, or more than 30 seconds (unless configured "
        "otherwise) after its first use. Either its owner or a thief has the newer one, so the session was ended.",
        "Log in again. If no token was stolen, the client did not store the new pair, or another tab has the same "
        "tokens.",
    ),
    "forbidden": Explanation(
        "You may see the object but not do this: another role is needed, the message is not yours, or the account "
        "is deactivated.",
        "Do not try again. The message says which role is needed.",
    ),
    "muted": Explanation(
        "An admin of the room has muted you. `retryAfter` is the number of seconds that remain.",
        "Tell the user, and let them write again when the time has passed.",
    ),
    "not_found": Explanation(
        "The object does not exist, or it belongs to a room of which you are not a member. The two cases look the "
        "same on purpose.",
        "Check the id. If the room was yours, you left it or were removed; `room:removed` reports that.",
    ),
    "conflict": Explanation(
        "The request contradicts the current state: a name is taken, a user is already a member, the last owner "
        "leaves, somebody has as many rooms as allowed, or a `clientMessageId` was used for other content.",
        "Read the current state and decide again. Give each message a `clientMessageId` of its own.",
    ),
    "too_large": Explanation(
        "The body of the request is larger than 256 KiB, if it is JSON under `/api/`, or than the server takes on "
        "any path (1 MiB unless configured otherwise). With HTTP 414 the path with its query has over 8,000 bytes; "
        "with 431 the request has over 100 headers, or over 64 KiB of them.",
        "Send less. The same request fails again. The connection is closed.",
    ),
    "rate_limited": Explanation(
        "A rate limit of the user, the room, the connection or the address was exceeded. Nothing was stored.",
        "Wait for `retryAfter` seconds, then send the same request again. A client that keeps sending while it is "
        "refused is closed with 4429.",
    ),
    "overloaded": Explanation(
        "The server has a full queue: of messages to store, or of passwords to check. Nothing was stored.",
        "Try again after a random delay that grows with each attempt.",
    ),
    "unavailable": Explanation(
        "The database or another part is not reachable at the moment, or a room is too busy. It is not known "
        "whether the request took effect, unless the message says that nothing was stored (a full disk, a "
        "read-only database). With HTTP 408 the request did not arrive in time, and had no effect.",
        "Try again after a random delay that grows with each attempt. A message with the same `clientMessageId` is "
        "stored once.",
    ),
    "internal": Explanation(
        "An error in the server. Its log has the details under the `requestId`.",
        "Try again later. If the error persists, report the `requestId`.",
    ),
}


def check(guide: Mapping[str, Explanation], codes: Iterable[str]) -> None:
    """LookupError unless the guide explains exactly these codes."""
    if missing := set(codes) - set(guide):
        raise LookupError(
            f"GUIDE in chatproject/error_guide.py does not explain: {', '.join(sorted(missing))}"
        )
    if unknown := set(guide) - set(codes):
        raise LookupError(f"GUIDE explains codes that no error has: {', '.join(sorted(unknown))}")


check(GUIDE, ERRORS)


def rows() -> list[dict[str, Any]]:
    """The errors with their explanations, for the page and the document."""
    return [
        {"code": code, "status": error.status, "temporary": error.temporary, "guide": GUIDE[code]}
        for code, error in ERRORS.items()
    ]


def markdown() -> str:
    """docs/errors.md; `manage.py write_docs` writes it."""
    lines = [
        "# Errors",
        "",
        "Every error has one shape, on REST and on the socket:",
        "",
        "```json",
        '{"error": {"code": "invalid", "message": "content: Must not be empty.",',
        ' "fields": {"content": ["Must not be empty."]}, "requestId": "01a20bd1-c2b4-760d-8404-2e6d414831db"}}',
        "```",
        "",
        "On the socket the object under `error` is the `data` of an `error:<code>` frame. `message` is written for "
        "people and may change; clients should use `code`. `retryAfter` is in seconds. `requestId` identifies the "
        "request in the server's log.",
        "",
    ]
    for row in rows():
        again = ", temporary: the same request may succeed later" if row["temporary"] else ""
        lines += [f"## {row['code']}", "", f"HTTP {row['status']}{again}.", ""]
        lines += [f"**When:** {row['guide'].when}", "", f"**What to do:** {row['guide'].do}", ""]
    return "\n".join(lines)


class ErrorsPage(TemplateView):
    template_name = "chatproject/errors.html"
    extra_context = {"rows": rows()}
