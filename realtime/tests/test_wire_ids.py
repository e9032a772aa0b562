"""Ids in the data of client events: read as REST reads them, and described as UUIDs."""

from uuid import UUID

import msgspec
import pytest

from foundation.errors import Invalid
from foundation.ids import uuid7
from realtime.wire.ids import Id, decode_id, id_schema
from realtime.wire.protocol import Wire, decode_data, json_schema, to_builtins

pytestmark = pytest.mark.once  # structs in memory


class Named(Wire):
    """Data with ids."""

    user_id: Id
    room_ids: list[Id] = []


def decoded(text: str) -> Named:
    return decode_data(msgspec.Raw(text.encode()), Named)


def test_id_when_written_in_any_case_then_is_a_uuid() -> None:
    user_id, room_id = uuid7(), uuid7()
    named = decoded(f'{{"userId":"{str(user_id).upper()}","roomIds":["{room_id}"]}}')
    assert (named.user_id, named.room_ids) == (user_id, [room_id])
    assert isinstance(named.user_id, UUID)
    assert to_builtins(named) == {"userId": str(user_id), "roomIds": [str(room_id)]}


@pytest.mark.parametrize(
    "value",
    ["7", "true", "null", '""', '"01a20bd1bed6707dbd3a71bea614e6cb"', '"{01a20bd1-bed6-707d-bd3a-71bea614e6cb}"',
     '"urn:uuid:01a20bd1-bed6-707d-bd3a-71bea614e6cb"', '"01a20bd1-bed6-707d-bd3a-71bea614e6c\u0663"'],
)  # fmt: skip
def test_id_when_written_in_another_form_then_its_field_is_named(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        decoded(f'{{"userId":{value}}}')
    assert list(refused.value.fields or {}) == ["userId"]
    with pytest.raises(Invalid) as refused:
        decoded(f'{{"userId":"{uuid7()}","roomIds":[{value}]}}')
    assert list(refused.value.fields or {}) == ["roomIds[0]"]


def test_schema_when_of_an_id_then_is_that_of_a_uuid() -> None:
    _, components = json_schema(Named, ref_template="{name}")
    assert components["Named"]["properties"]["userId"] == {"type": "string", "format": "uuid"}


def test_hooks_when_of_another_type_then_leave_it_to_others() -> None:
    with pytest.raises(NotImplementedError):
        decode_id(complex, "1")
    with pytest.raises(NotImplementedError):
        id_schema(complex)
