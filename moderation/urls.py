"""REST paths of reports, below /api/."""

from django.urls import path

from .views import ReportViewSet

urlpatterns = [
    path(
        "rooms/<str:room_id>/messages/<str:message_id>/report",
        ReportViewSet.as_view({"post": "create"}),
        name="message-report",
    ),
]
