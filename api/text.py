"""Serializer fields for text and free JSON from clients, with the same checks as on the socket."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from rest_framework import serializers

from foundation.text import meta_problem, name_problem, text_problem, visible_problem


class TextField(serializers.CharField):
    """Text without control characters."""

    problem: Callable[[str], str | None] = staticmethod(text_problem)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Expected text.")
        if problem := self.problem(data):
            raise serializers.ValidationError(problem)
        return super().to_internal_value(data)


class VisibleField(TextField):
    """Text that shows something. It may have several lines."""

    problem = staticmethod(visible_problem)


class NameField(TextField):
    """A name in one line, which shows something."""

    problem = staticmethod(name_problem)


class MetaField(serializers.DictField):
    """A free JSON object of at most MAX_META_BYTES."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if problem := meta_problem(value, max_bytes=settings.MAX_META_BYTES):
            raise serializers.ValidationError(problem)
        return value
