"""How lists of presence look in OpenAPI; bodies there are none, and answers are the structs of `events`."""

from drf_spectacular.utils import OpenApiResponse

from realtime.wire.protocol import json_schema

from .events import MemberPresence

# drf-spectacular takes a struct by our extension, but no list of them without a page around it.
_, _COMPONENTS = json_schema(MemberPresence, ref_template="{name}")
MEMBERS = OpenApiResponse({"type": "array", "items": _COMPONENTS["MemberPresence"]})
