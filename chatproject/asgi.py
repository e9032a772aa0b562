"""The ASGI application: HTTP to Django, sockets through JWT and origin to the routing, lifespan to the services."""

import asyncio
import logging
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")  # noqa: TID251
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  # models need a set-up Django
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from accounts.middleware import JWTAuthMiddleware  # noqa: E402
from foundation import garbage_collection, loop, tracing  # noqa: E402
from foundation.proxies import ClientBehindProxies  # noqa: E402
from realtime.hub.hub import get_hub  # noqa: E402
from realtime.session.origin import AllowedOrigins  # noqa: E402

from .routing import websocket_urlpatterns  # noqa: E402
from .socket_io import PATH, get_socket_io, socket_io  # noqa: E402

logger = logging.getLogger(__name__)

if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    tracing.start(service_name=settings.OTEL_SERVICE_NAME)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Start what every connection needs, and stop it all when the server ends. daphne has no lifespan: there
    the hub starts with the first connection."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await get_hub().start()
            except Exception:
                # Redis may come later; each connection tries again, and /readyz says so meanwhile.
                logger.exception("the hub could not start")
            garbage_collection.freeze_loaded_objects()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            if settings.SOCKETIO:
                await get_socket_io().begin_stop()  # its sessions need what is stopped next
            await loop.stop()
            if tracing.enabled():
                await asyncio.to_thread(tracing.flush)
            await send({"type": "lifespan.shutdown.complete"})
            return


websocket_routes = list(websocket_urlpatterns)
if settings.SOCKETIO:
    websocket_routes.insert(0, path(PATH, socket_io))  # type: ignore[arg-type]
polling = JWTAuthMiddleware(socket_io)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Django's, but for what Socket.IO sends before, or instead of, a WebSocket."""
    answers = polling if settings.SOCKETIO and scope["path"] == f"/{PATH}" else django_application
    await answers(scope, receive, send)


router = ProtocolTypeRouter(
    {
        "http": http,
        # JWT outermost: it takes the token out of the scope, and the server logs refused handshakes too.
        "websocket": JWTAuthMiddleware(AllowedOrigins(URLRouter(websocket_routes), settings.ALLOWED_ORIGINS)),
        "lifespan": lifespan,
    }
)
behind_proxies = ClientBehindProxies(router, settings.TRUSTED_PROXIES)


async def application(scope: Any, receive: Any, send: Any) -> None:
    loop.adopt()
    await behind_proxies(scope, receive, send)
