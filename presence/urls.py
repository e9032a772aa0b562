"""REST paths of presence, below /api/."""

from django.urls import path

from .views import RoomPresenceView, UserPresenceView

urlpatterns = [
    path("users/<str:user_id>/presence", UserPresenceView.as_view(), name="user-presence"),
    path("rooms/<str:room_id>/presence", RoomPresenceView.as_view(), name="room-presence"),
]
