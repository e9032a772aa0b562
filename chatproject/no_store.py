"""NoStore: ASGI middleware that keeps answers with tokens and private data out of every cache.

Browsers may store an answer without `Cache-Control` and show it to the next user of the machine. One rule by path
covers refusals and new endpoints too.
"""

from typing import Any

PRIVATE = ("/api/", "/socket.io/")
PUBLIC = ("/api/schema",)
HEADER = b"cache-control"


class NoStore:
    """Adds `Cache-Control: no-store` under /api/ and /socket.io/, except to public pages and where one is set."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PRIVATE) or scope["path"] in PUBLIC:
            await self.app(scope, receive, send)
            return

        async def send_unstored(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == HEADER for name, _ in headers):
                    message = {**message, "headers": [*headers, (HEADER, b"no-store")]}
            await send(message)

        await self.app(scope, receive, send_unstored)
