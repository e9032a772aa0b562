"""Endpoints: /healthz, /readyz and /metrics, answered in front of Django, and the address that they may have.

They answer for any Host, because probes and Prometheus use addresses, and cost no thread and no middleware.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from foundation.errors import Invalid, NotFound
from operations import health, metrics_page

from .address import Address
from .answers import begin, send_body, send_error

HEALTH = "/healthz"
ANSWERS: dict[str, Callable[[], Awaitable[tuple[int, str, bytes]]]] = {
    HEALTH: health.live,
    "/readyz": health.ready,
    "/metrics": metrics_page.page,
}
# The description of the API, and the files of its pages.
DOCUMENTS = ("/docs", "/api/schema")
STATIC = "/static/"


class Endpoints:
    """ASGI middleware. Without `address` the paths of ANSWERS are on every port.

    With it, its port has these and the description of the API and nothing else, and other ports lose them, except
    /healthz. Static files are on both.
    """

    def __init__(self, app: Any, *, address: Address | None, host: str) -> None:
        self.app = app
        self._port = address.port if address else None
        # For Django, which checks the Host again.
        self._host = host.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["type"] == "http" else ""
        is_inside = self._port is not None and (scope.get("server") or (None, None))[1] == self._port
        if path in ANSWERS and (is_inside or self._port is None or path == HEALTH):
            await _answer(scope, receive, send)
        elif is_inside and path.startswith((*DOCUMENTS, STATIC)):
            await self.app(self._as_public(scope), receive, send)
        elif is_inside or (self._port is not None and (path in ANSWERS or path.startswith(DOCUMENTS))):
            await send_error(scope, send, NotFound(f"There is no {scope['path']} at this address."))
        else:
            await self.app(scope, receive, send)

    def _as_public(self, scope: Any) -> Any:
        """The address is inside the network: without TLS, and reached by a name that is not in ALLOWED_HOSTS."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        return {**scope, "scheme": "https", "headers": [*headers, (b"host", self._host)]}


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    # Nobody needs it, but BoundedBodies counts what is read.
    while (await receive()).get("more_body"):
        pass
    if scope["method"] not in ("GET", "HEAD"):
        allow = ((b"allow", b"GET, HEAD"),)
        await send_error(scope, send, Invalid("Only GET is allowed here."), status=405, headers=allow)
        return
    headers = begin(scope)
    status, content_type, body = await ANSWERS[scope["path"]]()
    headers += [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")]
    await send_body(scope, send, status, headers, body)
