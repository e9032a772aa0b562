"""Bodies of room requests. Answers are the event structs of `events`, so REST and socket show one shape."""

from rest_framework import serializers

from api.schema import example
from api.serializers import Serializer, TimeField
from api.text import MetaField, TextField

from .models import Membership


@example(name="lunch", memberIds=["01a20bd1-bed6-707d-bd3a-71bea614e6cb"], meta={"colour": "green"})
class CreateRoomSerializer(Serializer):
    name = TextField(max_length=100)
    member_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)
    meta = MetaField(required=False)


@example(name="late lunch")
class UpdateRoomSerializer(Serializer):
    name = TextField(max_length=100, required=False)
    meta = MetaField(required=False)


@example(userId="01a20bd1-bed6-707d-bd3a-71bea614e6cb")
class OpenDirectSerializer(Serializer):
    user_id = serializers.UUIDField()


@example(userId="01a20bd1-bed6-707d-bd3a-71bea614e6cb", role="member")
class AddMemberSerializer(Serializer):
    user_id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Membership.Role.choices, required=False)


@example(role="admin", mutedUntil=None)
class ChangeMemberSerializer(Serializer):
    role = serializers.ChoiceField(choices=Membership.Role.choices, required=False)
    muted_until = TimeField(required=False, allow_null=True)
