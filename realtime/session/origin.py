"""AllowedOrigins: which web pages may open a socket. Others get 403, which stops cross-site WebSocket hijacking."""

from typing import Any
from urllib.parse import urlparse, urlsplit

from channels.security.websocket import OriginValidator, WebsocketDenier


class AllowedOrigins(OriginValidator):
    """Allows the server's own origin, the listed origins, and clients without an Origin, which are not browsers."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if self.allows(scope):
            return await self.application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)

    def allows(self, scope: Any) -> bool:
        """Whether a page of the scope's Origin may connect to the scope's Host."""
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if origin is None:
            return True
        try:
            parsed = urlsplit(origin)
            return parsed.netloc == host or self.valid_origin(urlparse(origin.decode("latin-1")))
        except ValueError:
            # Not a URL; no browser sends that.
            return False
