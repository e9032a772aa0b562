"""Bodies and queries of message requests. Answers are structs of `events`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from api.schema import example
from api.serializers import Serializer
from api.text import MetaField, TextField

MAX_SEQ = 2**53 - 1


@example(content="Hello Bob!", clientMessageId="6f1c2a90b1")
class SendMessageSerializer(Serializer):
    # The service checks length and emptiness, so that socket and REST refuse alike.
    content = TextField(trim_whitespace=False, allow_blank=True)
    type = TextField(trim_whitespace=False, required=False)
    client_message_id = TextField(
        min_length=1, max_length=64, trim_whitespace=False, required=False, allow_null=True
    )
    reply_to = serializers.UUIDField(required=False, allow_null=True)
    meta = MetaField(required=False, allow_null=True)


@example(content="Hello, Bob!")
class EditMessageSerializer(Serializer):
    content = TextField(trim_whitespace=False, allow_blank=True)


class AnchorField(serializers.Field):
    """A place in a room's history: a seq, a message id, or an RFC 3339 time with an offset."""

    def to_internal_value(self, data: Any) -> int | UUID | datetime:
        text = str(data)
        if text.isascii() and text.isdigit():
            return min(int(text[:20]), MAX_SEQ)
        try:
            return UUID(text)
        except ValueError:
            pass
        try:
            # An unescaped "+" in a query string arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+"))
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise serializers.ValidationError("Not a seq, a message id or an RFC 3339 time with an offset.")

    def to_representation(self, value: Any) -> str:
        return str(value)


class HistoryQuerySerializer(Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False, default=50)
    before = AnchorField(required=False)
    after = AnchorField(required=False)
    around = AnchorField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len({"before", "after", "around"} & attrs.keys()) > 1:
            raise serializers.ValidationError("Give only one of before, after and around.")
        return attrs


class SearchQuerySerializer(Serializer):
    q = TextField(min_length=1, max_length=200)
    room_id = serializers.UUIDField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False)
    cursor = serializers.CharField(required=False)
