"""The fields of a room: one that is left out of the wire, the requests or the events fails here.

CONTRIBUTING.md, "A new field of a room", has the steps.
"""

import asyncio
from typing import Any

import pytest
from drf_spectacular.drainage import get_override

from rooms.events import COMPUTED_FIELDS, RoomData, RoomUpdated
from rooms.models import Room
from rooms.serializers import CreateRoomSerializer, UpdateRoomSerializer
from tests.kit.users import ChatUser

from .test_publishing import next_of
from .test_rooms import room_of

# Columns that no client sees.
INTERNAL = {"direct_key", "deleted_at", "last_message_id", "retention_days", "search_name"}
# Columns that clients see and cannot set.
SET_BY_SERVER = {
    "id",
    "kind",
    "created_by",
    "created_at",
    "last_activity_at",
    "locked_at",
    "first_seq",
    "last_seq",
}
# Columns that never change, or that clients derive from the messages they receive.
IN_NO_EVENT = {"created_by", "created_at", "last_activity_at"}

COLUMNS = {field.name for field in Room._meta.concrete_fields}
ON_THE_WIRE = set(RoomData.__struct_fields__)
PUBLISHED = set(RoomUpdated.__struct_fields__)


def fields_of(serializer: Any) -> set[str]:
    """The fields of a request by their names in Python."""
    return {field.source for field in serializer().fields.values()}


def example_of(serializer: Any) -> dict[str, Any]:
    """The example of a request in the OpenAPI document, by the names of the wire."""
    return dict(get_override(serializer, "examples")[0].value)


SETTABLE = fields_of(UpdateRoomSerializer)
CREATED, CHANGED = example_of(CreateRoomSerializer), example_of(UpdateRoomSerializer)


@pytest.mark.once  # nothing here uses the database
def test_column_when_new_then_is_on_the_wire_or_internal() -> None:
    assert COLUMNS - ON_THE_WIRE == INTERNAL, "add it to RoomUpdated or RoomData, or to INTERNAL"


@pytest.mark.once  # nothing here uses the database
def test_field_when_on_the_wire_then_is_a_column_or_computed() -> None:
    assert ON_THE_WIRE - COLUMNS <= COMPUTED_FIELDS, "it needs a column in Room, or a value in room_data"


@pytest.mark.once  # nothing here uses the database
def test_column_when_on_the_wire_then_is_set_by_clients_or_the_server() -> None:
    assert COLUMNS & ON_THE_WIRE == SETTABLE | SET_BY_SERVER, (
        "add it to RoomFieldsSerializer or SET_BY_SERVER"
    )


@pytest.mark.once  # nothing here uses the database
def test_column_when_on_the_wire_then_room_updated_has_it() -> None:
    assert COLUMNS & ON_THE_WIRE == PUBLISHED | IN_NO_EVENT, "declare it in RoomUpdated, not in RoomData"


@pytest.mark.once  # nothing here uses the database
def test_field_when_settable_then_also_at_creation() -> None:
    assert fields_of(CreateRoomSerializer) == SETTABLE | {"member_ids"}, "declare it in RoomFieldsSerializer"


@pytest.mark.once  # nothing here uses the database
@pytest.mark.parametrize("serializer", [CreateRoomSerializer, UpdateRoomSerializer])
def test_field_when_settable_then_the_example_of_the_request_has_it(serializer: Any) -> None:
    assert set(example_of(serializer)) == set(serializer().fields), "add it to the serializer's @example"


@pytest.mark.once  # nothing here uses the database
@pytest.mark.parametrize("serializer", [CreateRoomSerializer, UpdateRoomSerializer])
def test_text_when_settable_then_is_as_long_as_its_column(serializer: Any) -> None:
    """SQLite stores a longer text; PostgreSQL fails to."""
    columns = {field.name: field.max_length for field in Room._meta.concrete_fields if field.max_length}
    fields = serializer().fields.values()
    lengths = {
        field.source: getattr(field, "max_length", None) for field in fields if field.source in columns
    }
    assert lengths == {name: columns[name] for name in lengths}, "give it the max_length of its column"


def test_room_when_created_with_every_field_then_each_is_stored(ann: ChatUser, ben: ChatUser) -> None:
    fields = {name: value for name, value in CREATED.items() if name != "memberIds"}
    answer = ann.http.post("/api/rooms", json={**fields, "memberIds": [ben.id]})
    assert answer.status_code == 201, answer.text
    seen = room_of(ben, answer.json()["id"])
    assert {name: seen[name] for name in fields} == fields


@pytest.mark.parametrize("name", CHANGED)
async def test_room_when_a_field_is_changed_then_it_is_stored_and_published(
    ann: ChatUser, ben: ChatUser, name: str
) -> None:
    fields = {key: value for key, value in CREATED.items() if key != "memberIds"}
    assert fields[name] != CHANGED[name], "the two examples must differ"
    room_id = ann.http.post("/api/rooms", json={**fields, "memberIds": [ben.id]}).json()["id"]
    async with ben.connect() as client:
        change = {name: CHANGED[name]}
        answer = await asyncio.to_thread(ann.http.patch, f"/api/rooms/{room_id}", json=change)
        assert answer.status_code == 200, answer.text
        published = await next_of(client, "room:updated", room_id)
    for shown in (answer.json(), published, room_of(ben, room_id)):
        assert {key: shown[key] for key in fields} == fields | change
