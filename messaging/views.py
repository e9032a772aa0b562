"""REST endpoints of messages. The rules are in the services and selectors."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import user_of
from api.pagination import CursorPage
from api.serializers import validated
from api.throttling import check_rate
from api.views import ViewSet
from foundation import loop
from foundation.ids import parse_uuid
from foundation.limits.named import SEARCHES_USER
from realtime.wire.protocol import Wire, to_builtins
from rooms.selectors import require_member

from . import selectors
from .events import History, MessageData, Receipts, message_data
from .models import Message
from .serializers import (
    EditMessageSerializer,
    HistoryQuery,
    SearchQuery,
    SendMessageSerializer,
)
from .services.changes import delete_message, edit_message
from .services.send import send_message


class SearchPagination(CursorPage):
    """Newest first, in an order that reads no other rooms' messages.

    In one room from its end back, until there is a page. In many rooms by a time that has no index: by primary key,
    a planner that expects many hits would read the messages of all rooms from the newest back.
    """

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        return ("-seq",) if "room_id" in view.query else ("-created_at", "-pk")


class MessagePage(Wire):
    results: list[MessageData]
    next: str | None
    previous: str | None


@extend_schema(tags=["messages"])
class MessageViewSet(ViewSet):
    # Reads go through the selectors, which check the membership.
    queryset = Message.objects.none()
    serializer_class = SendMessageSerializer
    pagination_class = SearchPagination
    error_codes = {
        "create": ("muted", "conflict"),
        "partial_update": ("muted", "conflict"),
        "destroy": ("conflict",),
        "search": ("not_found",),
    }
    queries = {"list": HistoryQuery, "search": SearchQuery}

    @extend_schema(
        summary="A page of a room's history, oldest first",
        responses=History,
        filters=False,
    )
    def list(self, request: Request, room_id: str) -> Response:
        membership = require_member(room_id=parse_uuid(room_id), user_id=user_of(request).pk)
        return Response(to_builtins(selectors.room_history(room=membership.room, **self.query)))

    @extend_schema(
        summary="Send a message",
        request=SendMessageSerializer,
        responses={201: MessageData, 200: MessageData},
    )
    def create(self, request: Request, room_id: str) -> Response:
        room = parse_uuid(room_id)
        body = validated(SendMessageSerializer, request)
        stored = loop.call(send_message(sender_id=user_of(request).pk, room_id=room, **body))
        data = to_builtins(message_data(stored.message, stored.room))
        return Response(data, status=200 if stored.duplicate else 201)

    @extend_schema(summary="Edit your own message", request=EditMessageSerializer, responses=MessageData)
    def partial_update(self, request: Request, room_id: str, message_id: str) -> Response:
        body = validated(EditMessageSerializer, request)
        changed = loop.call(
            edit_message(
                room_id=parse_uuid(room_id),
                message_id=parse_uuid(message_id),
                actor_id=user_of(request).pk,
                **body,
            )
        )
        return Response(to_builtins(message_data(*changed)))

    @extend_schema(summary="Delete a message, as its author or a room admin", responses={204: None})
    def destroy(self, request: Request, room_id: str, message_id: str) -> Response:
        loop.call(
            delete_message(
                room_id=parse_uuid(room_id), message_id=parse_uuid(message_id), actor_id=user_of(request).pk
            )
        )
        return Response(status=204)

    @extend_schema(summary="List who has received and who has read a message", responses=Receipts)
    def receipts(self, request: Request, room_id: str, message_id: str) -> Response:
        room = parse_uuid(room_id)
        require_member(room_id=room, user_id=user_of(request).pk)
        receipts = selectors.message_receipts(room_id=room, message_id=parse_uuid(message_id))
        return Response(to_builtins(receipts))

    @extend_schema(
        summary="Search the messages of your rooms, newest first",
        responses=MessagePage,
    )
    def search(self, request: Request) -> Response:
        user_id = user_of(request).pk
        check_rate(request, SEARCHES_USER, key=str(user_id))
        found = selectors.search_messages(
            user_id=user_id, text=self.query["q"], room_id=self.query.get("room_id")
        )
        page = self.paginate_queryset(found) or []
        data = [to_builtins(message_data(message, message.room)) for message in page]
        return self.get_paginated_response(data)
