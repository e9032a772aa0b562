"""How our endpoints look in OpenAPI: the contract's error shape stands at every operation.

Knows drf-spectacular; must not know any app.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiResponse

from realtime.errors import ERRORS, TooLarge, UnknownEvent
from realtime.protocol import Wire

from .serializers import CamelCaseFields


class ErrorDetail(Wire, kw_only=True):
    """What was wrong; `fields` names each bad field, `retryAfter` is in seconds."""

    code: Literal[tuple(ERRORS)]  # type: ignore[valid-type]
    message: str
    fields: dict[str, list[str]] | msgspec.UnsetType = msgspec.UNSET
    retry_after: float | msgspec.UnsetType = msgspec.UNSET
    request_id: str | None


class ErrorAnswer(Wire):
    """Every error answer has this one shape."""

    error: ErrorDetail


REST_ERRORS = [error for error in ERRORS.values() if error is not UnknownEvent]  # events are the socket's
ALWAYS = ("400", "429", "503")


class ChatAutoSchema(AutoSchema):
    def _is_list_view(self, serializer: Any = None) -> bool:
        """A struct is the whole answer, page and all; spectacular would show a page of pages."""
        if isinstance(serializer, type) and issubclass(serializer, Wire):
            return False
        return bool(super()._is_list_view(serializer))

    def _map_basic_serializer(self, serializer: Any, direction: Literal["request", "response"]) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, CamelCaseFields):
            schema["additionalProperties"] = False  # unknown fields are an error
            if "__doc__" not in vars(type(serializer)) or not type(serializer).__doc__:
                schema.pop("description", None)  # inherited: it is for us
        return schema

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        for status in self._error_statuses():
            if status not in responses:
                codes = ", ".join(error.code for error in REST_ERRORS if str(error.status) == status)
                response = OpenApiResponse(ErrorAnswer, description=f"Error: {codes}.")
                responses[status] = self._get_response_for_code(response, status, direction=direction)
        return responses

    def _error_statuses(self) -> list[str]:
        statuses = list(ALWAYS)
        if self.get_auth():
            statuses.append("401")
        if self.method in ("POST", "PATCH"):
            statuses.append(str(TooLarge.status))
        if "{" in self.path:
            statuses += ["403", "404"]
        return sorted(statuses)


class StructExtension(OpenApiSerializerExtension):
    """Shows a msgspec Struct as a component, so that REST and socket share one definition of an answer."""

    target_class = "realtime.protocol.Wire"
    match_subclasses = True

    def get_name(self, auto_schema: Any = None, direction: Any = None) -> str:
        return self.target.__name__

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        (schema,), components = msgspec.json.schema_components(
            [self.target], ref_template="#/components/schemas/{name}"
        )
        structs = {struct.__name__: struct for struct in _subclasses(Wire)}
        for name, component in components.items():
            if name != self.get_name():
                auto_schema.registry.register_on_missing(
                    ResolvedComponent(
                        name=name, type=ResolvedComponent.SCHEMA, schema=component, object=structs[name]
                    )
                )
        return components.get(self.get_name(), schema)


def _subclasses(base: type) -> Iterator[type]:
    children: list[type] = base.__subclasses__()
    for child in children:
        yield child
        yield from _subclasses(child)
