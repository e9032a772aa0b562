"""Fields: values are read back as they were saved, and invalid values raise."""

import datetime
import json
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, NotSupportedError, connection
from django.db.models import F, JSONField, Value
from pymongo.errors import BulkWriteError, DuplicateKeyError

from .testapp import make
from .testapp.models import Message, Room

BERLIN = ZoneInfo("Europe/Berlin")


def stored(instance) -> dict:
    return connection.run_on_database(
        lambda database: database[instance._meta.db_table].find_one({"_id": instance.pk})
    )


def test_save_when_reloaded_then_every_field_is_the_same(room):
    values = {
        "content": "a\0b\n$x {'$gt': 1} 日本",
        "score": 1.5,
        "price": Decimal("12.50"),
        "meta": {"$set": {"a.b": [1, None, 2**40, {"": True}]}, "n": 1.0},
        "at": datetime.datetime(2024, 3, 31, 3, 30, 0, 123000, tzinfo=BERLIN),
        "alarm": datetime.time(23, 59, 1),
        "took": datetime.timedelta(days=400, microseconds=7),
    }
    message = make.message(room, 2**40, **values)
    message.save()
    again = Message.objects.get(pk=message.pk)
    assert {name: getattr(again, name) for name in values} == values
    assert again.seq == 2**40
    assert type(again.seq) is int
    # Strict encoders reject bson's Int64.
    assert type(again.meta["$set"]["a.b"][2]) is int


def test_document_when_stored_then_uuid_is_its_id_and_json_is_nested(room):
    message = make.message(room, 1, meta={"a": {"b": 1}})
    message.save()
    document = stored(message)
    assert document["_id"] == message.pk
    assert isinstance(document["_id"], uuid.UUID)
    assert document["meta"] == {"a": {"b": 1}}
    assert document["room_id"] == room.pk
    assert "id" not in document


def test_time_when_saved_then_it_is_cut_to_milliseconds(room):
    message = make.message(room, 1, at=datetime.datetime(2024, 1, 1, 0, 0, 0, 123999, tzinfo=datetime.UTC))
    message.save()
    message.refresh_from_db()
    assert message.at == datetime.datetime(2024, 1, 1, 0, 0, 0, 123000, tzinfo=datetime.UTC)
    assert Message.objects.filter(
        at=datetime.datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=datetime.UTC)
    ).exists()


def test_json_when_saved_then_it_round_trips_and_json_null_raises(room):
    message = make.message(room, 1, meta={1: (1, 2)})
    message.save()
    message.refresh_from_db()
    assert message.meta == json.loads(json.dumps({1: (1, 2)}))
    with pytest.raises(NotSupportedError, match="JSON null"):
        make.message(room, 2, extra=Value(None, JSONField())).save()
    with pytest.raises(TypeError):
        make.message(room, 2, meta={"a": object()}).save()
    with pytest.raises(DataError):
        make.message(room, 2, meta={"a\0b": 1}).save()


def test_number_when_above_64_bits_then_data_error(room):
    with pytest.raises(DataError):
        make.message(room, 2**70).save()


def test_null_when_written_to_a_not_null_column_then_integrity_error(messages):
    with pytest.raises(IntegrityError, match="NOT NULL"):
        make.message(messages[0].room, 99, content=None).save()
    with pytest.raises(IntegrityError, match="NOT NULL"):
        Message.objects.bulk_create([make.message(messages[0].room, 99, at=None)])
    with pytest.raises(IntegrityError, match="NOT NULL"):
        Message.objects.update(content=None)
    messages[0].content = None
    with pytest.raises(IntegrityError, match="NOT NULL"):
        messages[0].save()
    with pytest.raises(NotSupportedError, match="NOT NULL"):
        Message.objects.update(seq=F("score"))
    assert Message.objects.filter(content="message 0").count() == 1


def test_duplicate_when_written_then_integrity_error_has_its_cause(messages):
    room = messages[0].room
    with pytest.raises(IntegrityError) as inserted:
        make.message(room, 5).save()
    assert isinstance(inserted.value.__cause__, DuplicateKeyError)
    with pytest.raises(IntegrityError) as many:
        Message.objects.bulk_create([make.message(room, seq) for seq in (100, 5, 101)])
    assert isinstance(many.value.__cause__, BulkWriteError)
    # In order: the row before the duplicate is stored, the row after it is not.
    assert list(Message.objects.filter(seq__gte=100).values_list("seq", flat=True)) == [100]
    with pytest.raises(IntegrityError):
        Message.objects.filter(seq=6).update(seq=5)
    messages[7].seq = 5
    with pytest.raises(IntegrityError):
        messages[7].save()


def test_unique_when_values_are_null_then_they_do_not_collide(room):
    Room.objects.create(name="a", slug=None)
    Room.objects.create(name="b", slug=None)
    Room.objects.create(name="c", slug="s")
    with pytest.raises(IntegrityError):
        Room.objects.create(name="d", slug="s")
    make.message(room, 1, client_id="x").save()
    # No conflict, because the author is null.
    make.message(room, 2, client_id="x").save()
    author = User.objects.create_user("ann")
    make.message(room, 3, client_id="x", author=author).save()
    with pytest.raises(IntegrityError):
        make.message(room, 4, client_id="x", author=author).save()


def test_conditional_unique_when_two_rows_match_then_integrity_error(messages):
    Message.objects.filter(seq=1).update(pinned=True)
    with pytest.raises(IntegrityError):
        Message.objects.filter(seq=2).update(pinned=True)


def test_bulk_create_when_conflicts_are_ignored_then_the_rest_is_stored(messages):
    room = messages[0].room
    Message.objects.bulk_create([make.message(room, seq) for seq in (5, 200, 6, 201)], ignore_conflicts=True)
    assert set(Message.objects.filter(seq__gte=200).values_list("seq", flat=True)) == {200, 201}
    with pytest.raises(IntegrityError, match="NOT NULL"):
        Message.objects.bulk_create([make.message(room, 300, at=None)], ignore_conflicts=True)
    with pytest.raises(NotSupportedError):
        Message.objects.bulk_create(
            [make.message(room, 5)],
            update_conflicts=True,
            update_fields=["note"],
            unique_fields=["room", "seq"],
        )
