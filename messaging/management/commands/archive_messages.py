"""`manage.py archive_messages --older-than 365d [--room ID ..] --to DIR`"""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from foundation.durations import parse_age
from messaging.management.arguments import add_archiving, add_rooms
from messaging.management.problems import operator_errors
from messaging.management.runs import archive_rooms, present_time, require_rooms
from rooms.models import Room


class Command(BaseCommand):
    help = "Move old messages into an archive. After an interruption, run it again with the same --to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=parse_age, required=True, metavar="365d", help="age in d, h, m or s, above 0"
        )
        add_rooms(parser)
        parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the archive")
        add_archiving(parser)

    def handle(
        self,
        *args: Any,
        older_than: timedelta,
        room: list[UUID] | None,
        to: Path,
        grace: timedelta,
        in_memory: bool,
        **options: Any,
    ) -> None:
        cutoff = present_time() - older_than
        with operator_errors():
            require_rooms(room or ())
            room_ids = room or list(Room.objects.order_by("pk").values_list("pk", flat=True))
        archive_rooms(dict.fromkeys(room_ids, cutoff), to, grace=grace, in_memory=in_memory)
