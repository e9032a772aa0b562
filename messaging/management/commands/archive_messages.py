"""`manage.py archive_messages --older-than 365d [--room ID ..] --to DIR`"""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from foundation import times
from foundation.ids import read_id
from messaging.management.runs import GRACE_SECONDS, archive_rooms
from rooms.models import Room

MAX_AGE = timedelta(days=36_500)


def age(text: str) -> timedelta:
    """An argument such as 365d as a timedelta."""
    if found := re.fullmatch(r"(\d{1,10})([dhms])", text, re.ASCII):
        unit = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}[found[2]]
        try:
            if (given := timedelta(**{unit: int(found[1])})) <= MAX_AGE:
                return given
        except OverflowError:
            pass
    raise ArgumentTypeError(f"Give an age such as 365d, 12h, 30m or 0s, up to {MAX_AGE.days}d.")


class Command(BaseCommand):
    help = "Move old messages into an archive. After an interruption, run it again with the same --to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=age, required=True, metavar="365d", help="age in d, h, m or s"
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
            type=float,
            default=GRACE_SECONDS,
            help="seconds to wait for edits in progress before rows are removed",
        )

    def handle(
        self,
        *args: Any,
        older_than: timedelta,
        room: list[UUID] | None,
        to: Path,
        grace: float,
        **options: Any,
    ) -> None:
        cutoff = times.now() - older_than
        rooms = Room.objects.order_by("pk").values_list("pk", flat=True)
        archive_rooms(dict.fromkeys(room or rooms, cutoff), to, grace_seconds=grace)
