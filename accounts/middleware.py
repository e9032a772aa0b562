"""JWT middleware of the ASGI stack: finds the token in a handshake and verifies it."""

from typing import Any
from urllib.parse import unquote_plus

from django.views.decorators.debug import sensitive_variables

from foundation.errors import ChatError, Unauthenticated
from realtime.session.connect_limits import address_refusal, forged_refusal

from . import keys
from .tokens import verify_access

BEARER_PROTOCOL = "bearer."


class JWTAuthMiddleware:
    """Sets `scope["identity"]`, or `scope["auth_error"]` to the ChatError that says why there is no identity.

    That is RateLimited for an address that opens too many sockets, whose tokens are not even read.

    AccountsConsumer checks the session later, when the connection is attached and cannot miss the session's end.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        token = take_token(scope)
        if refusal := await address_refusal(scope):
            scope["auth_error"] = refusal
        else:
            await authenticate(scope, token)
        return await self.app(scope, receive, send)


@sensitive_variables("token")
async def authenticate(scope: dict[str, Any], token: str | None) -> None:
    try:
        if not token:
            raise Unauthenticated
        await keys.refresh()
        scope["identity"] = verify_access(token)
    except ChatError as error:
        # Not for an expired token: a server that was away for long makes those of everybody.
        is_forged = bool(token) and isinstance(error, Unauthenticated)
        scope["auth_error"] = (await forged_refusal(scope) if is_forged else None) or error


def take_token(scope: dict[str, Any]) -> str | None:
    """The token from the header, else a subprotocol, else the query string. Removes it from all three.

    Changes the scope in place, because servers log the query string of the scope that they have made.
    """
    found: list[str] = []
    headers = []
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, credentials = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                found.append(credentials.strip())
        elif name != b"sec-websocket-protocol":
            headers.append((name, value))
    subprotocols = scope.get("subprotocols", [])
    found += [item.removeprefix(BEARER_PROTOCOL) for item in subprotocols if item.startswith(BEARER_PROTOCOL)]
    kept = []
    for pair in scope.get("query_string", b"").split(b"&"):
        name, _, value = pair.decode("latin-1").partition("=")
        if unquote_plus(name) == "token":
            found.append(unquote_plus(value))
        else:
            kept.append(pair)
    scope["headers"] = headers
    scope["subprotocols"] = [item for item in subprotocols if not item.startswith(BEARER_PROTOCOL)]
    scope["query_string"] = b"&".join(kept)
    return found[0] if found else None
