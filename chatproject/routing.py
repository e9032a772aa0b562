"""The socket's path, and THE list of consumers that share each connection.

`connected` runs in this order and `disconnected` backwards: accounts makes the connection reachable, rooms
subscribes it, messaging serves it, presence shows it to others last.
"""

from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from accounts.consumers import AccountsConsumer
from messaging.consumers import MessagingConsumer
from presence.consumers import PresenceConsumer
from realtime.session.endpoint import ChatSocket
from realtime.session.handlers import EventRegistry
from realtime.session.ready import READY
from rooms.consumers import RoomsConsumer

registry = EventRegistry(
    [AccountsConsumer, RoomsConsumer, MessagingConsumer, PresenceConsumer], sends=[READY]
)

websocket_urlpatterns = [
    path("ws/chat/", ChatSocket.as_asgi(registry=registry)),
    re_path("", WebsocketDenier.as_asgi()),
]
