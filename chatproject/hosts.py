"""AllowedHosts: which hosts requests and handshakes may name, and whether they may come without TLS."""

import logging
from collections.abc import Sequence
from typing import Any

from django.http.request import split_domain_port, validate_host

from foundation.errors import Forbidden, Invalid

from .answers import send_error

logger = logging.getLogger(__name__)
# A scanner may try any number of hosts.
MAX_LOGGED_HOSTS = 100
TLS = {"https", "wss"}


class AllowedHosts:
    """ASGI middleware in front of Django, the sockets and Socket.IO. Refuses a foreign Host with 400.

    With `only_tls`, sockets and the paths below `polling_path` are refused with 403 over plain HTTP; Django
    redirects the other paths. A redirect is of no use there: browsers do not follow it for sockets.
    """

    def __init__(self, app: Any, hosts: Sequence[str], *, only_tls: bool, polling_path: str) -> None:
        self.app = app
        self._hosts = hosts
        self._only_tls = only_tls
        self._polling_path = polling_path
        self._logged: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host = _host_of(scope)
        if not validate_host(split_domain_port(host)[0], self._hosts):
            self._log(host)
            message = f"This server does not answer for the host {host[:100]!r} (ALLOWED_HOSTS)."
            await send_error(scope, send, Invalid(message))
        elif self._only_tls and self._is_socket(scope) and scope.get("scheme") not in TLS:
            await send_error(scope, send, Forbidden("Connect with https or wss."))
        else:
            await self.app(scope, receive, send)

    def _is_socket(self, scope: Any) -> bool:
        return scope["type"] == "websocket" or scope["path"].startswith(self._polling_path)

    def _log(self, host: str) -> None:
        """Once for each host: a probe or a forgotten name would otherwise fill the log."""
        if host not in self._logged and len(self._logged) < MAX_LOGGED_HOSTS:
            self._logged.add(host)
            logger.warning(
                "refused requests for the host %.100r, which is not in ALLOWED_HOSTS; further ones are not logged",
                host,
            )


def _host_of(scope: Any) -> str:
    """The Host header. Without one (HTTP/1.0) the server's address, as in Django. Empty if there are several."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not hosts:
        return str((scope.get("server") or ("",))[0])
    return hosts[0].decode("latin-1") if len(hosts) == 1 else ""
