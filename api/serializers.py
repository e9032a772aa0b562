"""The base of our serializers: camelCase on the wire, snake_case in Python, and unknown fields are refused."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request

from foundation import times
from foundation.ids import read_id


def camel(name: str) -> str:
    """`read_seq` as `readSeq`."""
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


class TimeField(serializers.DateTimeField):
    """RFC 3339. Written in UTC with milliseconds and a `Z`. Read with any offset, which must not be missing."""

    def to_representation(self, value: Any) -> Any:
        return times.to_wire(value) if isinstance(value, datetime) else value

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return times.truncate(times.parse(value))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class IdField(serializers.UUIDField):
    """A UUID with its hyphens, in any case."""

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return read_id(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class CamelCaseFields:
    """Gives each field a camelCase name on the wire. The declared name remains its source."""

    def get_fields(self) -> dict[str, serializers.Field]:
        renamed = {}
        for name, field in super().get_fields().items():  # type: ignore[misc]
            wire_name = camel(name)
            if wire_name != name and field.source is None:
                field.source = name
            renamed[wire_name] = field
        return renamed

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := set(data) - set(self.fields)):  # type: ignore[attr-defined]
            known = ", ".join(self.fields)  # type: ignore[attr-defined]
            raise serializers.ValidationError(
                {name: [f"Unknown field; known are: {known}."] for name in unknown}
            )
        return super().to_internal_value(data)  # type: ignore[misc]


class Serializer(CamelCaseFields, serializers.Serializer):
    """Base of our serializers. Fields are DRF's own, except TimeField, IdField and those of `api.text`."""


class ModelSerializer(CamelCaseFields, serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        **{
            model_field: TimeField
            for model_field, field in serializers.ModelSerializer.serializer_field_mapping.items()
            if field is serializers.DateTimeField
        },
    }


def validated(serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
    """The validated body of the request, with names in Python's spelling. Raises DRF's ValidationError."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
