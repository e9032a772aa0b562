"""Messages on a connection: each handler hands its data to a service and shapes the reply."""

from uuid import UUID

import msgspec

from foundation.database import run_db
from realtime.session.connection import Connection
from realtime.session.handlers import EventConsumer, on
from rooms import selectors as rooms

from . import resume, services
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
from .typing_state import TypingState, tell_typing


class MessagingConsumer(EventConsumer):
    sends = (MESSAGE_RECEIVE, MESSAGE_UPDATED, MESSAGE_DELETED, MESSAGE_ACK, TYPING)

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._typing = TypingState(self._tell_typing)

    async def disconnected(self) -> None:
        self._typing.end()

    @on("message:send", SendMessage, reply=SendReply)
    async def send(self, data: SendMessage) -> SendReply:
        """Store a message, tell the room, and say where it came to lie."""
        stored = await services.send_message(
            sender_id=self.connection.user_id, **msgspec.structs.asdict(data)
        )
        return send_reply(stored.message, duplicate=stored.duplicate)

    @on("message:ack", AckMessage, reply=Watermarks)
    async def ack(self, data: AckMessage) -> Watermarks:
        """Move one's watermark up to a message."""
        return await services.acknowledge(user_id=self.connection.user_id, **msgspec.structs.asdict(data))

    @on("message:edit", EditMessage, reply=MessageData)
    async def edit(self, data: EditMessage) -> MessageData:
        """Change the text of one's own message."""
        return message_data(
            *await services.edit_message(
                room_id=data.room_id,
                message_id=data.message_id,
                actor_id=self.connection.user_id,
                content=data.content,
            )
        )

    @on("message:delete", DeleteMessage, reply=MessageData)
    async def delete(self, data: DeleteMessage) -> MessageData:
        """Make a message a tombstone, as its author or an admin of the room."""
        return message_data(
            *await services.delete_message(
                room_id=data.room_id, message_id=data.message_id, actor_id=self.connection.user_id
            )
        )

    @on("typing", Typing, reply=TypingUpdate)
    async def typing(self, data: Typing) -> TypingUpdate:
        """Tell the others in the room that one types, or no longer does; ends by itself after 6 s."""
        user_id = self.connection.user_id
        if not self._typing.is_typing(data.room_id):
            await run_db(rooms.require_member, room_id=data.room_id, user_id=user_id)
        self._typing.set(data.room_id, data.is_typing)
        return TypingUpdate(room_id=data.room_id, user_id=user_id, is_typing=data.is_typing)

    @on("resume", Resume, reply=ResumeReply)
    async def resume(self, data: Resume) -> ResumeReply:
        """Send all that was missed since the given seqs, or say where the gap is too large."""
        return await resume.replay(connection=self.connection, request=data)

    def _tell_typing(self, room_id: UUID, is_typing: bool) -> None:
        tell_typing(room_id=room_id, user_id=self.connection.user_id, is_typing=is_typing)
