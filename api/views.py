"""The bases of all REST views. They refuse query parameters that a view does not declare.

A view declares the parameters of each action once, in `queries`. The check, the values and the OpenAPI document
come from there.
"""

import re
from functools import cache
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers, views, viewsets
from rest_framework.request import Request

from foundation.errors import Fields, Invalid

from .serializers import Serializer

MAX_PAGE = 200
# The browsable API adds this parameter.
ALWAYS_ALLOWED = frozenset({"format"})


class LimitField(serializers.IntegerField):
    """How many results a page has at most."""

    def __init__(self) -> None:
        super().__init__(min_value=1, max_value=MAX_PAGE, default=50, help_text="Results in a page.")

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("[1-9][0-9]{0,2}", str(data)) or int(data) > MAX_PAGE:
            raise serializers.ValidationError(f"A number from 1 to {MAX_PAGE}.")
        return int(data)


class NoQuery(Serializer):
    """The query of a path that has no parameters."""


class PageQuery(Serializer):
    """The query of a list with pages."""

    limit = LimitField()
    # Read by CursorPage, which knows the order of the list.
    cursor = serializers.CharField(
        required=False, help_text="From `next` or `previous` of another page.", trim_whitespace=False
    )


class StrictQuery:
    """Reads the query string into `query`, with names in Python's spelling. Raises Invalid, which names them."""

    queries: ClassVar[dict[str, type[Serializer]]] = {}
    query: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        # A viewset has no action for a method that it does not allow. The answer is a 405.
        if action := getattr(self, "action", (request.method or "").lower()):
            self.query = read_query(self.queries.get(action, NoQuery), request)


def read_query(serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
    """The validated query string. Raises Invalid for unknown and repeated names, ValidationError for values."""
    given = {name: value for name, value in request.query_params.items() if name not in ALWAYS_ALLOWED}
    serializer = serializer_class(data=given)
    known = list(serializer.fields)
    takes = f"known are: {', '.join(known)}" if known else "there is none here"
    problems: Fields = {}
    for name, values in request.query_params.lists():
        if name not in known and name not in ALWAYS_ALLOWED:
            problems[name] = [f"Unknown parameter; {takes}."]
        elif len(values) > 1:
            problems[name] = ["Give it once."]
    if problems:
        raise Invalid(fields=problems)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


# The two bases have no docstrings: the document would show them at each operation.
class View(StrictQuery, views.APIView):
    pass


class SchemaView(StrictQuery, SpectacularAPIView):
    """The OpenAPI document. It is made and rendered once in a process."""

    def _get_schema_response(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        kind: Any = type(renderer)
        disposition = f'inline; filename="{self._get_filename(request, "")}"'
        return HttpResponse(
            _rendered_schema(kind),
            content_type=renderer.media_type,
            headers={"Content-Disposition": disposition, "Cache-Control": "max-age=60"},
        )


@cache
def _rendered_schema(renderer_class: Any) -> Any:
    schema = SpectacularAPIView.generator_class().get_schema(request=None, public=True)
    return renderer_class().render(schema)


class ViewSet(StrictQuery, viewsets.GenericViewSet):
    pass
