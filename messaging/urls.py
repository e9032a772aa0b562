"""Paths of messages under /api/."""

from django.urls import path

from .views import MessageViewSet

one = "rooms/<str:room_id>/messages/<str:message_id>"

urlpatterns = [
    path("messages/search", MessageViewSet.as_view({"get": "search"}), name="message-search"),
    path(
        "rooms/<str:room_id>/messages",
        MessageViewSet.as_view({"get": "list", "post": "create"}),
        name="messages",
    ),
    path(one, MessageViewSet.as_view({"patch": "partial_update", "delete": "destroy"}), name="message"),
    path(f"{one}/receipts", MessageViewSet.as_view({"get": "receipts"}), name="message-receipts"),
]
