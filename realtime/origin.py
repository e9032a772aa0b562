"""Which web pages may open a socket here: cross-site WebSocket hijacking ends at the handshake with 403."""

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import OriginValidator


class AllowedOrigins(OriginValidator):
    """Allows the server's own origin, the listed ones, and clients that are no browser and send no Origin."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        try:
            own = origin is None or urlsplit(origin).netloc == host
        except ValueError:  # no browser sends such a one
            own, scope = False, {**scope, "headers": [(b"origin", b"null")]}
        if own:
            return await self.application(scope, receive, send)
        return await super().__call__(scope, receive, send)
