"""The paths of rooms under /api/. No router: the paths of the contract have no trailing slash."""

from django.urls import path

from .views import MemberViewSet, RoomViewSet

urlpatterns = [
    path("rooms", RoomViewSet.as_view({"get": "list", "post": "create"}), name="rooms"),
    path("rooms/direct", RoomViewSet.as_view({"post": "direct"}), name="rooms-direct"),
    path(
        "rooms/<str:room_id>",
        RoomViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="room",
    ),
    path("rooms/<str:room_id>/members", MemberViewSet.as_view({"post": "create"}), name="members"),
    path(
        "rooms/<str:room_id>/members/<str:user_id>",
        MemberViewSet.as_view({"patch": "partial_update", "delete": "destroy"}),
        name="member",
    ),
]
