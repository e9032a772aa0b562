"""`manage.py apply_retention`: archives messages by the retention policy of each room. Run it daily."""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from messaging.management.arguments import add_archiving
from messaging.management.problems import Problems, operator_errors
from messaging.management.runs import archive_rooms, present_time
from rooms.models import MAX_RETENTION_DAYS, Room


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
        add_archiving(parser)

    def handle(self, *args: Any, to: Path, grace: timedelta, in_memory: bool, **options: Any) -> None:
        problems, now, cutoffs = Problems(), present_time(), {}
        rooms = Room.objects.order_by("pk")
        if not settings.RETENTION_DAYS:
            rooms = rooms.filter(retention_days__isnull=False)
        with operator_errors():
            policies = list(rooms.values_list("pk", "retention_days"))
        for room_id, own in policies:
            days = settings.RETENTION_DAYS if own is None else own
            if type(days) is not int or not 0 <= days <= MAX_RETENTION_DAYS:
                problems.skip(
                    room_id, f"its retention_days is {days!r}, which is not 0 to {MAX_RETENTION_DAYS}"
                )
            elif days:
                cutoffs[room_id] = now - timedelta(days=days)
        archive_rooms(cutoffs, to, grace=grace, in_memory=in_memory, problems=problems)
