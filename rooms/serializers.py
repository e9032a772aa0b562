"""Bodies of room requests. Answers are the event structs of `events`, so REST and socket show one shape."""

from rest_framework import serializers

from api.serializers import Serializer, TimeField
from api.text import MetaField, TextField

from .models import Membership


class CreateRoomSerializer(Serializer):
    name = TextField(max_length=100)
    member_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)
    meta = MetaField(required=False)


class UpdateRoomSerializer(Serializer):
    name = TextField(max_length=100, required=False)
    meta = MetaField(required=False)


class OpenDirectSerializer(Serializer):
    user_id = serializers.UUIDField()


class AddMemberSerializer(Serializer):
    user_id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Membership.Role.choices, required=False)


class ChangeMemberSerializer(Serializer):
    role = serializers.ChoiceField(choices=Membership.Role.choices, required=False)
    muted_until = TimeField(required=False, allow_null=True)
