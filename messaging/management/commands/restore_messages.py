"""`manage.py restore_messages [--room ID ..] --from DIR`"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from messaging.management.arguments import add_rooms
from messaging.management.runs import restore_rooms


class Command(BaseCommand):
    help = "Restore archived messages. The archive is kept. Safe to run again after an interruption."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_rooms(parser)
        parser.add_argument(
            "--from", type=Path, required=True, metavar="DIR", dest="source", help="the archive"
        )

    def handle(self, *args: Any, room: list[UUID] | None, source: Path, **options: Any) -> None:
        restore_rooms(room, source)
