"""Pages of REST lists: `{results, next, previous}`. The links `next` and `previous` contain an opaque cursor."""

from typing import Any

from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from foundation.errors import Invalid


class CursorPage(pagination.CursorPagination):
    """Pages by the primary key, a UUIDv7, unless the view has another ordering. Deep pages cost no more."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering: str | tuple[str, ...] = "-pk"
    invalid_cursor_message = "The cursor is not one of ours; start again without it."

    def get_page_size(self, request: Request) -> int:
        """Read `limit`. Raises Invalid for a bad value, where DRF would take the default."""
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return self.page_size
        if text not in map(str, range(1, self.max_page_size + 1)):
            raise Invalid(fields={"limit": [f"A number from 1 to {self.max_page_size}."]})
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                limits = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
                parameter["schema"] = {"type": "integer"} | limits
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Replaces DRF's schema, which has `nullable`, unknown to OpenAPI 3.1, and examples of another server."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"results": schema, "next": link, "previous": link}
        return {"type": "object", "required": list(properties), "properties": properties}

    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise Invalid(fields={"cursor": [self.invalid_cursor_message]}) from error
        if cursor is not None and "\x00" in str(cursor.position):
            raise Invalid(fields={"cursor": [self.invalid_cursor_message]})
        return cursor

    def _get_position_from_instance(self, instance: Any, ordering: Any) -> str:
        if isinstance(instance, dict):
            return super()._get_position_from_instance(instance, ordering)
        value = instance
        for name in ordering[0].lstrip("-").split("__"):
            value = getattr(value, name)
        return str(value)
