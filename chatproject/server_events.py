"""Every event the server sends by itself, with the shape of its data: what AsyncAPI and the tests go by."""

import msgspec

from messaging.events import MessageData, TypingUpdate, Watermarks
from presence.events import PresenceUpdate
from realtime.session.endpoint import Ready
from rooms.events import MemberChanged, RoomDetail, RoomRemoved, RoomUpdated

SERVER_EVENTS: dict[str, tuple[type[msgspec.Struct], str]] = {
    "ready": (Ready, "The first frame after the handshake; live events of all rooms flow from here on."),
    "message:receive": (MessageData, "A message was stored in one of your rooms."),
    "message:updated": (MessageData, "A message was edited."),
    "message:deleted": (MessageData, "A message was deleted; this is its tombstone."),
    "message:ack": (Watermarks, "A member has received or read more of a room."),
    "typing": (TypingUpdate, "Another member began or ended typing."),
    "presence:update": (PresenceUpdate, "Somebody you share a small room with came or went."),
    "room:added": (RoomDetail, "A room became yours; its live events flow from here on."),
    "room:updated": (
        RoomUpdated,
        "A room's name or meta changed, it was locked, or its log begins elsewhere (`firstSeq`).",
    ),
    "room:removed": (RoomRemoved, "A room is no longer yours."),
    "room:member": (MemberChanged, "A membership of one of your rooms changed."),
}
