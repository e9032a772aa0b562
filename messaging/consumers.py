"""Socket events of messages: each handler calls a service and returns the reply."""

import msgspec

from foundation.limits.local import get_local_limiter
from foundation.limits.named import TYPING_USER
from realtime.session.handlers import EventConsumer, on
from realtime.wire.events import Allowed
from rooms.permissions import require_may_write
from rooms.write_access import get_write_access_cache

from . import resume
from .events import (
    MESSAGE_ACK,
    MESSAGE_DELETED,
    MESSAGE_RECEIVE,
    MESSAGE_UPDATED,
    TYPING,
    AckMessage,
    DeleteMessage,
    EditMessage,
    MessageData,
    Resume,
    ResumeReply,
    SendMessage,
    SendReply,
    Typing,
    TypingUpdate,
    Watermarks,
    message_data,
    send_reply,
)
from .services.changes import delete_message, edit_message
from .services.receipts import acknowledge
from .services.send import send_message
from .typing_indicators import get_typing_indicators


class MessagingConsumer(EventConsumer):
    sends = (MESSAGE_RECEIVE, MESSAGE_UPDATED, MESSAGE_DELETED, MESSAGE_ACK, TYPING)

    async def disconnected(self) -> None:
        get_typing_indicators().stop_all(self.connection)

    @on("message:send", SendMessage, reply=SendReply, allowed=Allowed.WRITERS)
    async def send(self, data: SendMessage) -> SendReply:
        """Store a message, publish it to the room, and reply with its id and seq."""
        stored = await send_message(sender_id=self.connection.user_id, **msgspec.structs.asdict(data))
        return send_reply(stored.message, duplicate=stored.duplicate)

    @on("message:ack", AckMessage, reply=Watermarks, allowed=Allowed.MEMBERS)
    async def ack(self, data: AckMessage) -> Watermarks:
        """Move your watermarks up to a message."""
        return await acknowledge(user_id=self.connection.user_id, **msgspec.structs.asdict(data))

    @on("message:edit", EditMessage, reply=MessageData, allowed=Allowed.AUTHOR)
    async def edit(self, data: EditMessage) -> MessageData:
        """Change the text of your own message."""
        return message_data(
            *await edit_message(
                room_id=data.room_id,
                message_id=data.message_id,
                actor_id=self.connection.user_id,
                content=data.content,
            )
        )

    @on("message:delete", DeleteMessage, reply=MessageData, allowed=Allowed.AUTHOR_OR_ADMIN)
    async def delete(self, data: DeleteMessage) -> MessageData:
        """Make a message a tombstone, as its author or an admin of the room."""
        return message_data(
            *await delete_message(
                room_id=data.room_id, message_id=data.message_id, actor_id=self.connection.user_id
            )
        )

    @on("typing", Typing, reply=TypingUpdate, allowed=Allowed.WRITERS)
    async def typing(self, data: Typing) -> TypingUpdate:
        """Show the other members that you are typing, or have stopped. Ends after 6 s unless sent again."""
        user_id, room_id, indicators = self.connection.user_id, data.room_id, get_typing_indicators()
        # To stop takes no permission, so that a client whose user was muted meanwhile gets no error for it.
        if data.is_typing or not indicators.stop(room_id, self.connection):
            access = await get_write_access_cache().require(room_id=room_id, user_id=user_id)
            if data.is_typing:
                require_may_write(access)
                get_local_limiter().check(TYPING_USER.of(user_id))
                indicators.start(room_id, self.connection)
        return TypingUpdate(room_id=room_id, user_id=user_id, is_typing=data.is_typing)

    @on("resume", Resume, reply=ResumeReply, allowed=Allowed.FILTERED)
    async def resume(self, data: Resume) -> ResumeReply:
        """Send the messages after the given seqs, or say for which rooms there are too many."""
        return await resume.replay(connection=self.connection, request=data)
