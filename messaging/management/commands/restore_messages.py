"""`manage.py restore_messages [--room ID ..] --from DIR`"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from messaging.archive import Archive
from messaging.management.runs import restore_rooms


class Command(BaseCommand):
    help = "Put archived messages back. The archive stays. Run it again after a kill and it goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--room", type=UUID, action="append", help="only these rooms; all unless given")
        parser.add_argument("--from", type=Path, required=True, metavar="DIR", dest="source")

    def handle(self, *args: Any, room: list[UUID] | None, source: Path, **options: Any) -> None:
        restore_rooms(room or Archive(source).room_ids(), source)
