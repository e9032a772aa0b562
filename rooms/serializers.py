"""The bodies of room requests. Answers are the structs of `events`, so REST and sockets have the same shapes."""

from rest_framework import serializers

from api.schema import example
from api.serializers import IdField, Serializer, TimeField
from api.text import MetaField, NameField

from .models import Membership


class RoomFieldsSerializer(Serializer):
    """The fields of a room that clients set, when they create it and later."""

    name = NameField(max_length=100, required=False)
    meta = MetaField(required=False)


@example(name="lunch", memberIds=["01a20bd1-bed6-707d-bd3a-71bea614e6cb"], meta={"colour": "green"})
class CreateRoomSerializer(RoomFieldsSerializer):
    name = NameField(max_length=100)
    member_ids = serializers.ListField(child=IdField(), required=False, max_length=10_000)


@example(name="late lunch", meta={"colour": "blue"})
class UpdateRoomSerializer(RoomFieldsSerializer):
    pass


@example(userId="01a20bd1-bed6-707d-bd3a-71bea614e6cb")
class OpenDirectSerializer(Serializer):
    user_id = IdField()


@example(userId="01a20bd1-bed6-707d-bd3a-71bea614e6cb", role="member")
class AddMemberSerializer(Serializer):
    user_id = IdField()
    role = serializers.ChoiceField(choices=Membership.Role.choices, required=False)


@example(role="admin", mutedUntil=None)
class ChangeMemberSerializer(Serializer):
    role = serializers.ChoiceField(choices=Membership.Role.choices, required=False)
    muted_until = TimeField(required=False, allow_null=True)
