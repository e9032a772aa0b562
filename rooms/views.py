"""The REST endpoints of rooms and their members."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import user_of
from api.pagination import CursorPage
from api.serializers import validated
from api.views import PageQuery, ViewSet
from foundation import loop
from foundation.ids import parse_uuid
from realtime.wire.protocol import Wire, to_builtins

from . import selectors, snapshots
from .events import RoomData, RoomDetail, RoomMember, member_data
from .models import Room
from .serializers import (
    AddMemberSerializer,
    ChangeMemberSerializer,
    CreateRoomSerializer,
    OpenDirectSerializer,
    UpdateRoomSerializer,
)
from .services import direct, members, rooms


class RoomPage(Wire):
    results: list[RoomData]
    next: str | None
    previous: str | None


class RecentActivityPage(CursorPage):
    ordering = ("-last_activity_at", "-pk")


@extend_schema(tags=["rooms"])
class RoomViewSet(ViewSet):
    # Every read goes through the selectors, which find one's own rooms only.
    queryset = Room.objects.none()
    serializer_class = CreateRoomSerializer
    error_codes = {"create": ("conflict",), "direct": ("conflict",), "partial_update": ("muted",)}
    queries = {"list": PageQuery}
    pagination_class = RecentActivityPage
    lookup_field = "room_id"

    @extend_schema(summary="List my rooms, newest activity first", responses=RoomPage)
    def list(self, request: Request) -> Response:
        user_id = user_of(request).pk
        page = self.paginate_queryset(selectors.user_rooms(user_id=user_id)) or []
        return self.get_paginated_response(to_builtins(snapshots.room_list(user_id=user_id, rooms=page)))

    @extend_schema(summary="Create a group", request=CreateRoomSerializer, responses={201: RoomDetail})
    def create(self, request: Request) -> Response:
        body = validated(CreateRoomSerializer, request)
        room = loop.call(rooms.create_group(creator_id=user_of(request).pk, **body))
        return self._detail(request, room.pk, status=201)

    @extend_schema(
        summary="Get or create the direct room with a user",
        request=OpenDirectSerializer,
        responses={201: RoomDetail, 200: RoomDetail},
    )
    def direct(self, request: Request) -> Response:
        body = validated(OpenDirectSerializer, request)
        room, created = loop.call(direct.open_direct(user_id=user_of(request).pk, other_id=body["user_id"]))
        return self._detail(request, room.pk, status=201 if created else 200)

    @extend_schema(summary="Get one of my rooms, with its members", responses=RoomDetail)
    def retrieve(self, request: Request, room_id: str) -> Response:
        return self._detail(request, parse_uuid(room_id))

    @extend_schema(summary="Change a group, as an admin", request=UpdateRoomSerializer, responses=RoomDetail)
    def partial_update(self, request: Request, room_id: str) -> Response:
        changes = validated(UpdateRoomSerializer, request)
        room = parse_uuid(room_id)
        loop.call(rooms.update_room(room_id=room, actor_id=user_of(request).pk, changes=changes))
        return self._detail(request, room)

    @extend_schema(summary="Delete a group, as its owner", responses={204: None})
    def destroy(self, request: Request, room_id: str) -> Response:
        loop.call(rooms.delete_room(room_id=parse_uuid(room_id), actor_id=user_of(request).pk))
        return Response(status=204)

    def _detail(self, request: Request, room_id: UUID, status: int = 200) -> Response:
        room = snapshots.room_detail(room_id=room_id, user_id=user_of(request).pk)
        return Response(to_builtins(room), status=status)


@extend_schema(tags=["rooms"])
class MemberViewSet(ViewSet):
    queryset = Room.objects.none()
    serializer_class = AddMemberSerializer
    error_codes = {"create": ("conflict",), "partial_update": ("conflict",), "destroy": ("conflict",)}
    pagination_class = None

    @extend_schema(
        summary="Add a member, as an admin", request=AddMemberSerializer, responses={201: RoomMember}
    )
    def create(self, request: Request, room_id: str) -> Response:
        body = validated(AddMemberSerializer, request)
        added = loop.call(
            members.add_member(room_id=parse_uuid(room_id), actor_id=user_of(request).pk, **body)
        )
        return Response(to_builtins(member_data(added)), status=201)

    @extend_schema(
        summary="Change a member's role or mute", request=ChangeMemberSerializer, responses=RoomMember
    )
    def partial_update(self, request: Request, room_id: str, user_id: str) -> Response:
        changes = validated(ChangeMemberSerializer, request)
        changed = loop.call(
            members.change_member(
                room_id=parse_uuid(room_id),
                actor_id=user_of(request).pk,
                user_id=parse_uuid(user_id),
                changes=changes,
            )
        )
        return Response(to_builtins(member_data(changed)))

    @extend_schema(summary="Remove a member, or leave the room", responses={204: None})
    def destroy(self, request: Request, room_id: str, user_id: str) -> Response:
        loop.call(
            members.remove_member(
                room_id=parse_uuid(room_id), actor_id=user_of(request).pk, user_id=parse_uuid(user_id)
            )
        )
        return Response(status=204)
