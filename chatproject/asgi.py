"""The ASGI application. A scope goes through one of these chains, from left to right:

every scope  adopt the loop > ClientBehindProxies > NoStore > BoundedBodies > Endpoints > AllowedHosts > the
             router, which divides by type
websocket    JWTAuthMiddleware > AllowedOrigins > routing: ChatSocket, SocketIo, or a refusal
http         JWTAuthMiddleware > SocketIo for /socket.io/
             Django for every other path
lifespan     start, and stop in the order of STOP_ORDER (chatproject/apps.py)
"""

import asyncio
import logging
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")  # noqa: TID251
# Before the imports below: models need a set-up Django.
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from accounts.middleware import JWTAuthMiddleware  # noqa: E402
from foundation import garbage_collection, loop, tracing  # noqa: E402
from foundation.proxies import ClientBehindProxies  # noqa: E402
from realtime.hub.hub import get_hub  # noqa: E402
from realtime.session.origin import AllowedOrigins  # noqa: E402

from .bodies import BoundedBodies  # noqa: E402
from .endpoints import Endpoints  # noqa: E402
from .hosts import AllowedHosts  # noqa: E402
from .no_store import NoStore  # noqa: E402
from .routing import SOCKET_IO_PATH, socket_io, websocket_urlpatterns  # noqa: E402

logger = logging.getLogger(__name__)

if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    tracing.start(service_name=settings.OTEL_SERVICE_NAME)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Start and stop the objects that the process has one of.

    Under daphne, which has no lifespan, nothing calls this: the hub starts with the first connection.
    """
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await _start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await _stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _start() -> None:
    try:
        await get_hub().start()
    except Exception:
        # Redis may come later. Each connection tries again, and /readyz reports it meanwhile.
        logger.exception("the hub could not start")
    garbage_collection.freeze_loaded_objects()


async def _stop() -> None:
    await loop.stop()
    # Last, because stopping leaves spans too.
    if tracing.enabled():
        await asyncio.to_thread(tracing.flush)


# JWT is outside the origin check, because it removes the token from the scope and a server logs refused handshakes
# too.
websocket = JWTAuthMiddleware(AllowedOrigins(URLRouter(websocket_urlpatterns), settings.ALLOWED_ORIGINS))
# A Socket.IO client polls before it opens a WebSocket, or instead. SocketIo checks the origin of a poll itself.
polling = JWTAuthMiddleware(socket_io)


async def http(scope: Any, receive: Any, send: Any) -> None:
    is_poll = settings.SOCKETIO and scope["path"] == f"/{SOCKET_IO_PATH}"
    await (polling if is_poll else django_application)(scope, receive, send)


router = ProtocolTypeRouter({"http": http, "websocket": websocket, "lifespan": lifespan})
allowed_hosts = AllowedHosts(
    router,
    settings.ALLOWED_HOSTS,
    only_tls=settings.SECURE_SSL_REDIRECT,
    polling_path=f"/{SOCKET_IO_PATH}",
)
# Its pages name the first host, without the dot of `.example.com`.
endpoints = Endpoints(
    allowed_hosts, address=settings.OPERATIONS_ADDRESS, host=settings.ALLOWED_HOSTS[0].lstrip(".")
)
bounded = BoundedBodies(endpoints, max_bytes=settings.MAX_BODY_BYTES)
behind_proxies = ClientBehindProxies(NoStore(bounded), settings.TRUSTED_PROXIES)


async def application(scope: Any, receive: Any, send: Any) -> None:
    loop.adopt()
    await behind_proxies(scope, receive, send)
