"""`manage.py archive_messages --older-than 365d [--room ID ..] --to DIR`"""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from foundation import times
from foundation.durations import parse_duration, parse_seconds
from foundation.ids import read_id
from messaging.management.runs import GRACE_SECONDS, archive_rooms
from rooms.models import Room


class Command(BaseCommand):
    help = "Move old messages into an archive. After an interruption, run it again with the same --to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=parse_duration, required=True, metavar="365d", help="age in d, h, m or s"
        )
        parser.add_argument(
            "--room",
            type=read_id,
            action="append",
            help="only this room; may be repeated; default: all rooms",
        )
        parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the archive")
        parser.add_argument(
            "--grace",
            type=parse_seconds,
            default=timedelta(seconds=GRACE_SECONDS),
            help="seconds to wait for edits in progress before rows are removed",
        )

    def handle(
        self,
        *args: Any,
        older_than: timedelta,
        room: list[UUID] | None,
        to: Path,
        grace: timedelta,
        **options: Any,
    ) -> None:
        cutoff = times.now() - older_than
        rooms = Room.objects.order_by("pk").values_list("pk", flat=True)
        archive_rooms(dict.fromkeys(room or rooms, cutoff), to, grace_seconds=grace.total_seconds())
