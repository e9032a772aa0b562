"""The paths of the sockets, and the one list of consumers that share each connection."""

from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.urls import path, re_path

from accounts.consumers import AccountsConsumer
from accounts.middleware import authenticate
from foundation import loop
from messaging.consumers import MessagingConsumer
from presence.consumers import PresenceConsumer
from realtime.session.endpoint import ChatSocket
from realtime.session.handlers import EventRegistry
from realtime.session.ready import READY
from realtime.socketio.endpoint import SocketIo
from rooms.consumers import RoomsConsumer

from .cors import allowed_origins

SOCKET_IO_PATH = "socket.io/"

# `connected` runs in this order and `disconnected` in the reverse one: accounts makes the connection reachable,
# rooms subscribes it to its rooms, messaging serves it, and presence shows the user to others last.
registry = EventRegistry(
    [AccountsConsumer, RoomsConsumer, MessagingConsumer, PresenceConsumer], sends=[READY]
)


@loop.one_per_loop
def get_socket_io() -> SocketIo:
    """The Socket.IO server of this process. It lives on the process's loop and is stopped with it."""
    server = SocketIo(
        registry,
        authenticate=authenticate,
        allows_origin=allowed_origins().allows,
        ping_seconds=settings.PING_SECONDS,
        max_frame_bytes=settings.MAX_FRAME_BYTES,
    )
    loop.on_stop("socket.io", server.begin_stop)
    return server


async def socket_io(scope: Any, receive: Any, send: Any) -> None:
    await get_socket_io()(scope, receive, send)


websocket_urlpatterns = [path("ws/chat/", ChatSocket.as_asgi(registry=registry))]
if settings.SOCKETIO:
    websocket_urlpatterns.append(path(SOCKET_IO_PATH, socket_io))  # type: ignore[arg-type]
websocket_urlpatterns.append(re_path("", WebsocketDenier.as_asgi()))
