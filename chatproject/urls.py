"""Every HTTP path of the server."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from api.exceptions import not_found
from api.views import SchemaView
from console.page import Console

from . import handshakes
from .error_guide import ErrorsPage
from .events_page import EventsPage, asyncapi_document

urlpatterns = [
    path("", RedirectView.as_view(url="/docs")),
    path("favicon.ico", RedirectView.as_view(url="/static/chatproject/icon.svg")),
    path("api/", include("presence.urls")),
    path("api/", include("accounts.urls")),
    path("api/", include("rooms.urls")),
    path("api/", include("messaging.urls")),
    path("api/", include("moderation.urls")),
    path("api/schema", SchemaView.as_view(permission_classes=[], throttle_classes=[]), name="schema"),
    path(
        "docs",
        SpectacularSwaggerSplitView.as_view(url_name="schema", permission_classes=[], throttle_classes=[]),
        name="docs",
    ),
    path("docs/events", EventsPage.as_view(), name="docs-events"),
    path("docs/asyncapi.json", asyncapi_document, name="asyncapi"),
    path("docs/errors", ErrorsPage.as_view(), name="docs-errors"),
    path("console/", Console.as_view(), name="console"),
    # Unknown paths of the API get the API's error, even with DEBUG.
    re_path("^api/", csrf_exempt(not_found)),
    re_path("^ws/chat/?$", handshakes.refuse),
    path("admin/", admin.site.urls),
]

handler400 = "api.exceptions.bad_request"
handler403 = "api.exceptions.forbidden"
handler404 = "api.exceptions.not_found"
handler500 = "api.exceptions.server_error"
