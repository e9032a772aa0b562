"""Fan-out without storage, for comparison with Socket.IO and the tutorial, which store nothing either.

It runs the product's JWT middleware, socket, hub and transport with one consumer, which publishes each message.
"""

import os
from typing import Any
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
import django

django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from accounts.keys import get_key_ring  # noqa: E402
from accounts.middleware import JWTAuthMiddleware  # noqa: E402
from foundation import garbage_collection, loop  # noqa: E402
from realtime.hub.hub import get_hub  # noqa: E402
from realtime.session.endpoint import ChatSocket  # noqa: E402
from realtime.session.handlers import EventConsumer, EventRegistry, on  # noqa: E402
from realtime.wire.events import Allowed, Audience, ServerEvent  # noqa: E402
from realtime.wire.protocol import Empty, Wire  # noqa: E402

TOPIC = "bench"


class Send(Wire):
    room_id: str
    content: str
    client_message_id: str


class Receive(Wire):
    room_id: str
    from_: UUID
    content: str
    client_message_id: str


RECEIVE = ServerEvent(
    "message:receive", Receive, audience=Audience.MEMBERS, summary="A message was sent to the room."
)


class BenchConsumer(EventConsumer):
    sends = (RECEIVE,)

    async def connected(self) -> dict[str, Any]:
        await get_hub().attach(self.connection)
        get_hub().subscribe(self.connection, TOPIC)
        return {}

    async def disconnected(self) -> None:
        get_hub().detach(self.connection)

    @on("message:send", Send, reply=Empty, allowed=Allowed.ANYONE)
    async def send(self, data: Send) -> Empty:
        """Publish a message to the room."""
        message = Receive(
            room_id=data.room_id,
            from_=self.connection.user_id,
            content=data.content,
            client_message_id=data.client_message_id,
        )
        get_hub().publish(TOPIC, RECEIVE.encode(message))
        return Empty()


get_key_ring()
socket = JWTAuthMiddleware(
    URLRouter([path("ws/chat/", ChatSocket.as_asgi(registry=EventRegistry([BenchConsumer])))])
)
router = ProtocolTypeRouter({"websocket": socket})


async def application(scope: Any, receive: Any, send: Any) -> None:
    loop.adopt()
    if scope["type"] == "lifespan":
        await receive()
        await get_hub().start()
        garbage_collection.freeze_loaded_objects()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await loop.stop()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await router(scope, receive, send)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(
        application,
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        ws="realtime.servers.uvicorn_websocket:ChatProtocol",
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
