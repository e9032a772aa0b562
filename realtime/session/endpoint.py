"""ChatSocket, the Channels consumer at /ws/chat/: accepts a socket and hands it to a ConnectionSession."""

from typing import Any

from channels.consumer import AsyncConsumer

from foundation import context
from foundation.errors import ChatError, RateLimited
from realtime.wire.close_codes import CloseCode

from .connect_limits import retry_after_headers, user_refusal
from .connection import Connection
from .device_id import device_id_of
from .handlers import EventRegistry
from .session import ConnectionSession
from .transport import AsgiTransport

SUBPROTOCOL = "chat.v1"


class ChatSocket(AsyncConsumer):
    """Routed as `ChatSocket.as_asgi(registry=..)`.

    The JWT middleware has put `identity` into the scope, or `auth_error`. A refused socket is accepted first and
    then closed, because a browser sees only 1006 if it is refused in the handshake.
    """

    # Channels would make a channel for each socket. The hub has one for the process.
    channel_layer_alias = None

    def __init__(self, *, registry: EventRegistry) -> None:
        self.registry = registry

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        subprotocol = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
        error = scope.get("auth_error") or await user_refusal(scope["identity"].user_id)
        if error is not None:
            await refuse(error, send, subprotocol)
            return
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        connection = _connection(scope, send)
        context.connection_id.set(connection.id)
        context.user_id.set(str(connection.user_id))
        # The scope is the router's copy. Its headers take kilobytes, and nothing reads them after the handshake.
        scope["headers"].clear()
        scope.clear()
        await ConnectionSession(connection, self.registry).run(receive)


async def refuse(error: ChatError, send: Any, subprotocol: str | None = None) -> None:
    """Accept the handshake of a socket and close it with the code for this error."""
    code, headers = CloseCode.UNAUTHENTICATED, []
    if isinstance(error, RateLimited):
        code, headers = CloseCode.LIMITED, retry_after_headers(error)
    elif error.temporary:
        code = CloseCode.RESTART
    await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})
    await send({"type": "websocket.close", "code": int(code), "reason": error.code})


def _connection(scope: Any, send: Any) -> Connection:
    # The server's own transport, if it has one (realtime/servers/), is cheaper than ASGI's `send`, and has counted
    # the frames so far.
    direct = scope.get("extensions", {}).get("chat.transport")
    return Connection(
        identity=scope["identity"],
        device_id=device_id_of(scope),
        transport=direct or AsgiTransport(send),
        limiter=direct.limiter if direct else None,
    )
