"""The base of our serializers: camelCase on the wire, snake_case in Python, and unknown fields are refused."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from foundation import times


def camel(name: str) -> str:
    """`read_seq` as `readSeq`."""
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


class TimeField(serializers.DateTimeField):
    """RFC 3339. Written in UTC with milliseconds and a `Z`. Read with any offset, which must not be missing."""

    def to_representation(self, value: Any) -> Any:
        return times.to_wire(value) if isinstance(value, datetime) else value

    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        try:
            return times.truncate(moment.astimezone(UTC))
        except OverflowError:
            raise serializers.ValidationError("This time is out of range.") from None


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
    """Base of our serializers. Fields are DRF's own, except TimeField for times."""


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


def validated_query(serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
    """The validated query string, one value for each name. Raises DRF's ValidationError."""
    query = request.query_params.dict()
    # The browsable API adds this parameter.
    query.pop("format", None)
    serializer = serializer_class(data=query)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
