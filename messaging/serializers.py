"""Bodies and queries of message requests. Answers are structs of `events`."""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from api.schema import example
from api.serializers import IdField, Serializer
from api.text import MetaField, TextField
from api.views import LimitField, PageQuery
from foundation import times
from foundation.ids import read_id

MAX_SEQ = 2**53 - 1


@example(content="Hello Bob!", clientMessageId="6f1c2a90b1")
class SendMessageSerializer(Serializer):
    # The service checks length and emptiness, so that socket and REST refuse alike.
    content = TextField(trim_whitespace=False, allow_blank=True)
    type = TextField(trim_whitespace=False, required=False)
    client_message_id = TextField(
        min_length=1, max_length=64, trim_whitespace=False, required=False, allow_null=True
    )
    reply_to = IdField(required=False, allow_null=True)
    meta = MetaField(required=False, allow_null=True)


@example(content="Hello, Bob!")
class EditMessageSerializer(Serializer):
    content = TextField(trim_whitespace=False, allow_blank=True)


class AnchorField(serializers.CharField):
    """A place in a room's history: a seq, a message id, or an RFC 3339 time with an offset."""

    def to_internal_value(self, data: Any) -> int | UUID | datetime:  # type: ignore[override]
        text = str(data)
        if text.isascii() and text.isdigit():
            return min(int(text.lstrip("0")[:20] or "0"), MAX_SEQ)
        with suppress(ValueError):
            return read_id(text)
        with suppress(ValueError):
            # An unescaped "+" in a query string arrives as a space.
            return times.parse(text.replace(" ", "+"))
        raise serializers.ValidationError("Not a seq, a message id or an RFC 3339 time with an offset.")


class HistoryQuery(Serializer):
    limit = LimitField()
    before = AnchorField(required=False, help_text="The messages before this seq, message id or time.")
    after = AnchorField(required=False, help_text="The messages after this seq, message id or time.")
    around = AnchorField(required=False, help_text="The messages around this seq, message id or time.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len({"before", "after", "around"} & attrs.keys()) > 1:
            raise serializers.ValidationError("Give only one of before, after and around.")
        return attrs


class SearchQuery(PageQuery):
    q = TextField(
        min_length=1,
        max_length=200,
        help_text="Text the message contains. Case, accents and width do not matter.",
    )
    room_id = IdField(required=False, help_text="Only in this room.")
