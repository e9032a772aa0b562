"""Pages of REST lists: `{results, next, previous}`. The links `next` and `previous` contain an opaque cursor."""

import binascii
import re
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.db.models import DateTimeField, Field, IntegerField, Model, UUIDField
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from foundation import times
from foundation.errors import Invalid
from foundation.ids import read_id
from foundation.text import text_problem

NOT_OURS = "The cursor is not one of this list; start again without it."


class CursorPage(pagination.CursorPagination):
    """Pages by the primary key, a UUIDv7, unless the view has another ordering. Deep pages cost no more.

    The view declares PageQuery, which has `limit` and `cursor`.
    """

    ordering: str | tuple[str, ...] = "-pk"
    model: type[Model]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.model = queryset.model
        self.page_size = view.query["limit"]
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int | None:
        return self.page_size

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """None: they are documented from the view's query."""
        return []

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Replaces DRF's schema, which has `nullable`, unknown to OpenAPI 3.1, and examples of another server."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"results": schema, "next": link, "previous": link}
        return {"type": "object", "required": list(properties), "properties": properties}

    def encode_cursor(self, cursor: pagination.Cursor) -> str:
        """A link to the page. Its cursor has the list's name, the offset, `r` for backwards, and the position."""
        parts = {
            "l": self._list_name(),
            "o": str(cursor.offset or ""),
            "r": "1" if cursor.reverse else "",
            "p": str(cursor.position or ""),
        }
        text = urlencode({name: part for name, part in parts.items() if part})
        return replace_query_param(str(self.base_url), "cursor", b64encode(text.encode()).decode())

    def decode_cursor(self, request: Request) -> pagination.Cursor | None:
        """The cursor of the request. Raises Invalid for one of another list, and for all that we do not write."""
        text = request.query_params.get("cursor")
        if text is None:
            return None
        try:
            return self._decode(text)
        except (ValueError, binascii.Error) as error:
            raise Invalid(fields={"cursor": [NOT_OURS]}) from error

    def _decode(self, text: str) -> pagination.Cursor:
        query = b64decode(text.encode("ascii"), validate=True).decode("ascii")
        parts = parse_qs(query, strict_parsing=True, errors="strict", max_num_fields=4)
        name, offset, reverse, position = (parts.pop(part, [""]) for part in "lorp")
        # Cursors of earlier versions have no name.
        if parts or name not in ([self._list_name()], [""]) or reverse not in (["1"], [""]):
            raise ValueError("not our parts")
        if len(position) > 1 or len(offset) > 1 or not re.fullmatch("([1-9][0-9]{0,3})?", offset[0]):
            raise ValueError("not our parts")
        if not (position[0] or offset[0] or reverse[0]):
            raise ValueError("no place")
        where = self._position(position[0]) if position[0] else None
        # The stubs take the position for a number.
        return pagination.Cursor(int(offset[0] or 0), reverse == ["1"], where)  # type: ignore[arg-type]

    def _position(self, text: str) -> str:
        """The value that pages are ordered by, as `_get_position_from_instance` writes it."""
        field = self._field()
        if isinstance(field, UUIDField):
            return str(read_id(text))
        if isinstance(field, DateTimeField):
            return str(times.parse(text.replace(" ", "T", 1)))
        if isinstance(field, IntegerField):
            if not re.fullmatch("[0-9]{1,16}", text):
                raise ValueError("not a number")
            return str(int(text))
        if len(text) > (field.max_length or 0) or text_problem(text):
            raise ValueError("not a value of the field")
        return text

    def _field(self) -> "Field[Any, Any]":
        name = self.ordering[0].lstrip("-")
        meta = self.model._meta
        field = meta.pk if name == "pk" else meta.get_field(name)
        assert isinstance(field, Field)
        return field

    def _list_name(self) -> str:
        return str(self.model._meta.model_name)

    def _get_position_from_instance(self, instance: Any, ordering: Any) -> str:
        return str(getattr(instance, ordering[0].lstrip("-")))
