"""The OpenAPI description of the endpoints: error answers at every operation, and structs as components."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_serializer

from foundation.errors import ERRORS, ChatError, Invalid
from realtime.wire.protocol import Wire, json_schema

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


# The codes of every endpoint. Views name further ones, by action, in `error_codes`.
ALWAYS = ("invalid", "rate_limited", "overloaded", "unavailable", "internal")
WITH_LOGIN = ("unauthenticated", "token_expired", "forbidden")

# Without an example at each operation; /docs/errors shows them once.
COMMON = {*ALWAYS, *WITH_LOGIN, "not_found", "too_large"} - {"invalid"}


class ChatAutoSchema(AutoSchema):
    def _is_list_view(self, serializer: Any = None) -> bool:
        """Whether to show a page of results. A struct is the whole answer, with its page if it has one."""
        if isinstance(serializer, type) and issubclass(serializer, Wire):
            return False
        return bool(super()._is_list_view(serializer))

    def get_override_parameters(self) -> list[Any]:
        """The query parameters that the view declares for its action."""
        action = getattr(self.view, "action", None) or self.method.lower()
        query = getattr(self.view, "queries", {}).get(action)
        return [*super().get_override_parameters(), *([query] if query else [])]

    def _map_basic_serializer(self, serializer: Any, direction: Literal["request", "response"]) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, CamelCaseFields):
            # Unknown fields are an error.
            schema["additionalProperties"] = False
            if "__doc__" not in vars(type(serializer)) or not type(serializer).__doc__:
                # Inherited from our base class, so written for developers of the server.
                schema.pop("description", None)
        return schema

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        by_status: dict[str, list[type[ChatError]]] = {}
        for error in self._errors():
            by_status.setdefault(str(error.status), []).append(error)
        for status, errors in sorted(by_status.items()):
            response = OpenApiResponse(
                ErrorAnswer,
                description=", ".join(f"[`{error.code}`](/docs/errors#{error.code})" for error in errors),
                examples=[error_example(error, status) for error in errors if error.code not in COMMON],
            )
            responses[status] = self._get_response_for_code(response, status, direction=direction)
        return responses

    def _errors(self) -> list[type[ChatError]]:
        named = getattr(self.view, "error_codes", {}).get(getattr(self.view, "action", None), ())
        if unknown := set(named) - set(ERRORS):
            raise LookupError(
                f"{type(self.view).__name__}.error_codes has unknown codes: {', '.join(unknown)}"
            )
        codes = {*ALWAYS, *named}
        # `get_auth` returns [{}] for an endpoint without login.
        if any(self.get_auth()):
            codes |= set(WITH_LOGIN)
        if self.method in ("POST", "PATCH"):
            codes.add("too_large")
        if "{" in self.path:
            codes.add("not_found")
        return [error for code, error in ERRORS.items() if code in codes]


def error_example(error: type[ChatError], status: str) -> OpenApiExample:
    detail: dict[str, Any] = {"code": error.code, "message": error.default_message}
    if error is Invalid:
        detail |= {
            "message": "name: This field is required.",
            "fields": {"name": ["This field is required."]},
        }
    value = {"error": {**detail, "requestId": "01a20bd1-c2b4-760d-8404-2e6d414831db"}}
    return OpenApiExample(error.code, value=value, response_only=True, status_codes=[status])


def example(**fields: Any) -> Callable[[Any], Any]:
    """Decorate a serializer with an example, in the names of the wire."""
    return extend_schema_serializer(examples=[OpenApiExample("example", value=fields, request_only=True)])


class StructExtension(OpenApiSerializerExtension):
    """Shows a struct as a component, so that REST and the socket share the definition of an answer."""

    target_class = "realtime.wire.protocol.Wire"
    match_subclasses = True

    def get_name(self, auto_schema: Any = None, direction: Any = None) -> str:
        return self.target.__name__

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema, components = json_schema(self.target, ref_template="#/components/schemas/{name}")
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
