"""What each error code means and what to do about it: the text of docs/errors.md and of the page /docs/errors."""

from dataclasses import dataclass
from typing import Any

from django.views.generic import TemplateView

from foundation.errors import ERRORS


@dataclass(frozen=True, slots=True)
class Explanation:
    """`when` says what brought the error about, `do` what a client, or its author, does now."""

    when: str
    do: str


GUIDE: dict[str, Explanation] = {
    "invalid": Explanation(
        "A field is missing, unknown, of the wrong type or out of bounds; or the body or frame is no JSON object.",
        "Read `fields`: it names each bad field and says what is wrong with it. The same request fails again.",
    ),
    "unknown_event": Explanation(
        "The socket has no event of this name. The message suggests the nearest one.",
        "Correct the name; /docs/events lists them all. The connection goes on.",
    ),
    "invalid_credentials": Explanation(
        "Email or password is wrong. Which of the two is not said, and an unknown email looks the same.",
        "Ask the user again.",
    ),
    "unauthenticated": Explanation(
        "There is no access token, or it is not one of ours, or its session was ended (log-out, password change, "
        "a reused refresh token).",
        "Refresh once; if that is refused too, let the user log in.",
    ),
    "token_expired": Explanation(
        "The token was good, and its time is over: 15 minutes for an access token unless set otherwise.",
        "For an access token, POST /api/auth/refresh and try again. For a refresh token, log in.",
    ),
    "token_reused": Explanation(
        "A refresh token came a second time. Its owner or a thief has the newer one, so the session has ended.",
        "Log in again. If it happens without a thief: two parts of the client refresh at the same time, or the new "
        "pair is stored too late.",
    ),
    "forbidden": Explanation(
        "You may see it, but not do it: another role is needed, or the message is not yours, or the account is "
        "deactivated.",
        "Do not try again. The message says which role is needed.",
    ),
    "muted": Explanation(
        "An admin of the room has muted you; `retryAfter` says for how many seconds more.",
        "Tell the user, and let them write again when the time is over.",
    ),
    "not_found": Explanation(
        "There is no such thing, or it is in a room you are not a member of: the two look the same on purpose.",
        "Check the id. If the room was yours, you have left it or were removed; `room:removed` tells of that.",
    ),
    "conflict": Explanation(
        "It clashes with what is there: a name that is taken, a member that is in already, the last owner who "
        "leaves, or a `clientMessageId` used for another content.",
        "Read the state anew and decide. Give each message a `clientMessageId` of its own.",
    ),
    "too_large": Explanation(
        "The request's body is over 256 KiB.", "Send less; the same request fails again."
    ),
    "rate_limited": Explanation(
        "More than a limit allows, of the user, the room, the connection or the address. Nothing was stored.",
        "Wait for `retryAfter` seconds, then send the same again. Going on regardless closes the socket with 4429.",
    ),
    "overloaded": Explanation(
        "The server has as much to store as it can take. Nothing was stored.",
        "Try again after a random and growing time.",
    ),
    "unavailable": Explanation(
        "The database or another part is away for a moment. It is not known whether the request took effect.",
        "Try again after a random and growing time; a message with the same `clientMessageId` is stored once.",
    ),
    "internal": Explanation(
        "Something went wrong on our side, and is in the server's log with the requestId.",
        "Try again after a while; report the requestId if it stays.",
    ),
}


def rows() -> list[dict[str, Any]]:
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
        "On the socket the same object is the `data` of an `error:<code>` frame. `message` is for people and may "
        "change; go by `code`. `retryAfter` is in seconds. `requestId` finds the request in the server's log.",
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
