"""OpenAPI of lists of presence. Other answers are the structs of `events`, and no request has a body."""

from drf_spectacular.utils import OpenApiResponse

from realtime.wire.protocol import json_schema

from .events import MemberPresence

# Our extension of drf-spectacular accepts a struct, but a list of structs only as a page with cursors.
_, _COMPONENTS = json_schema(MemberPresence, ref_template="{name}")
MEMBERS = OpenApiResponse({"type": "array", "items": _COMPONENTS["MemberPresence"]})
