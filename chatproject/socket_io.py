"""/socket.io/ for Socket.IO clients; SOCKETIO=off takes it away. The other socket is at /ws/chat/ (routing.py)."""

from typing import Any

from django.conf import settings

from accounts.middleware import authenticate
from foundation import loop
from realtime.socketio.endpoint import SocketIo

from .cors import allowed_origins
from .routing import registry

PATH = "socket.io/"


@loop.one_per_loop
def get_socket_io() -> SocketIo:
    """The Socket.IO server of this process; it lives on the process's loop."""
    return SocketIo(
        registry,
        authenticate=authenticate,
        allows_origin=allowed_origins().allows,
        ping_seconds=settings.PING_SECONDS,
        max_frame_bytes=settings.MAX_FRAME_BYTES,
    )


async def socket_io(scope: Any, receive: Any, send: Any) -> None:
    await get_socket_io()(scope, receive, send)
