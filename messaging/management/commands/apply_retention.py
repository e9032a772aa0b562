"""`manage.py apply_retention`: archives messages by the retention policy of each room. Run it daily."""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from foundation import times
from foundation.durations import parse_seconds
from messaging.management.runs import GRACE_SECONDS, archive_rooms
from rooms.models import Room


class Command(BaseCommand):
    help = "Archive messages older than their room's retention_days, or else than RETENTION_DAYS (0: never)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to",
            type=Path,
            default=Path(settings.ARCHIVE_DIR),
            metavar="DIR",
            help="the archive; default: ARCHIVE_DIR",
        )
        parser.add_argument(
            "--grace",
            type=parse_seconds,
            default=timedelta(seconds=GRACE_SECONDS),
            help="seconds to wait for edits in progress before rows are removed",
        )

    def handle(self, *args: Any, to: Path, grace: timedelta, **options: Any) -> None:
        rooms = Room.objects.order_by("pk")
        if not settings.RETENTION_DAYS:
            rooms = rooms.filter(retention_days__isnull=False)
        now = times.now()
        cutoffs = {
            room_id: now - timedelta(days=settings.RETENTION_DAYS if days is None else days)
            for room_id, days in rooms.values_list("pk", "retention_days")
        }
        archive_rooms(cutoffs, to, grace_seconds=grace.total_seconds())
