"""Checks the values and references of every table of every app. Those of messages are checked with the log."""

from collections.abc import Iterator

from django.apps import apps
from django.db import models

from foundation import times
from messaging.models import Message
from rooms.models import Room

from .paging import PAGE, pages
from .references import REFERENCE, check_references
from .rules import Options, Violation
from .values import Values


def check_tables(options: Options) -> Iterator[Violation]:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy and model is not Message:
            yield from _check_table(model, options)
    yield from _check_rooms_of_messages()


def _check_table(model: type[models.Model], options: Options) -> Iterator[Violation]:
    key = model._meta.pk
    fields = [key, *(field for field in model._meta.concrete_fields if field is not key)]
    places = {field.attname: place for place, field in enumerate(fields)}
    values = Values(model, fields)
    for page in pages(model._base_manager.all(), "pk", *(field.attname for field in fields[1:])):
        now = times.now()
        for row in page:
            yield from values.check(row, now)
        yield from check_references(model, page, places, options)


def _check_rooms_of_messages() -> Iterator[Violation]:
    """Messages of rooms that do not exist: from one room to the next, by the index that begins with the room."""
    rooms = Message.objects.order_by("room_id").values_list("room_id", flat=True)
    room_id = rooms.first()
    while room_id is not None:
        if not Room.objects.filter(pk=room_id).exists():
            count = Message.objects.filter(room_id=room_id)[:PAGE].count()
            some = f"at least {PAGE}" if count == PAGE else str(count)
            yield REFERENCE.broken(f"message: room_id names no room: {room_id}, which {some} messages have")
        room_id = rooms.filter(room_id__gt=room_id).first()
