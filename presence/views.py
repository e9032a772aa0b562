"""REST views of presence."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import user_of
from api.views import View
from foundation import loop
from foundation.ids import parse_uuid
from realtime.wire.protocol import to_builtins

from . import selectors
from .events import UserPresence
from .serializers import MEMBERS


class UserPresenceView(View):
    @extend_schema(
        tags=["presence"], summary="A user's presence, for those who share a room", responses=UserPresence
    )
    def get(self, request: Request, user_id: str) -> Response:
        found = loop.call(selectors.user_presence(viewer_id=user_of(request).pk, user_id=parse_uuid(user_id)))
        return Response(to_builtins(found))


class RoomPresenceView(View):
    @extend_schema(tags=["presence"], summary="The presence of a room's members", responses=MEMBERS)
    def get(self, request: Request, room_id: str) -> Response:
        found = loop.call(selectors.room_presence(viewer_id=user_of(request).pk, room_id=parse_uuid(room_id)))
        return Response(to_builtins(found))
