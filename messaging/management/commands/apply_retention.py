"""`manage.py apply_retention`: the job that archives what each room's policy says; run it daily."""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from foundation import times
from messaging.management.runs import GRACE_SECONDS, archive_rooms
from rooms.models import Room


class Command(BaseCommand):
    help = (
        "Archive to ARCHIVE_DIR what is older than its room's retention_days, or RETENTION_DAYS (0: never)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, default=Path(settings.ARCHIVE_DIR), metavar="DIR")
        parser.add_argument("--grace", type=float, default=GRACE_SECONDS, help="seconds before rows go")

    def handle(self, *args: Any, to: Path, grace: float, **options: Any) -> None:
        rooms = Room.objects.order_by("pk")
        if not settings.RETENTION_DAYS:
            rooms = rooms.filter(retention_days__isnull=False)
        now = times.now()
        cutoffs = {
            room_id: now - timedelta(days=settings.RETENTION_DAYS if days is None else days)
            for room_id, days in rooms.values_list("pk", "retention_days")
        }
        archive_rooms(cutoffs, to, grace_seconds=grace)
