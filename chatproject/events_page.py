"""The socket's AsyncAPI document, as JSON and as a page to read at /docs/events."""

import json
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.generic import TemplateView

from realtime.asyncapi import build_document

from .routing import registry


@cache
def document() -> dict[str, Any]:
    return build_document(registry, version=str(settings.SPECTACULAR_SETTINGS["VERSION"]))


def asyncapi_document(request: HttpRequest) -> JsonResponse:
    return JsonResponse(document())


class EventsPage(TemplateView):
    template_name = "chatproject/events.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        messages = document()["channels"]["chat"]["messages"]
        schemas = document()["components"]["schemas"]
        rows = [
            {
                "key": key,
                "schema": json.dumps(message["payload"], indent=2),
                "people": message.get("x-allowed") or message.get("x-audience"),
                **message,
            }
            for key, message in messages.items()
        ]
        return super().get_context_data(
            requests=[row for row in rows if row["key"].endswith("Request")],
            events=[row for row in rows if row["key"].endswith("Event") or row["key"] == "error"],
            replies=[row for row in rows if row["key"].endswith("Reply")],
            schemas=[
                {"name": name, "schema": json.dumps(schema, indent=2)} for name, schema in schemas.items()
            ],
            description=document()["info"]["description"],
        )
