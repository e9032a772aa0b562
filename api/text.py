"""Serializer fields for text and free JSON from clients, with the same checks as on the socket."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from foundation.text import meta_problem, text_problem


class TextField(serializers.CharField):
    """Text without control characters."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Expected text.")
        if problem := text_problem(data):
            raise serializers.ValidationError(problem)
        return super().to_internal_value(data)


class MetaField(serializers.DictField):
    """A free JSON object of at most MAX_META_BYTES."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if problem := meta_problem(value, max_bytes=settings.MAX_META_BYTES):
            raise serializers.ValidationError(problem)
        return value
