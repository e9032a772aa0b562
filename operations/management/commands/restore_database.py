"""`manage.py restore_database --from PATH`: loads a copy into an empty database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import backups


class Command(BaseCommand):
    help = (
        "Loads a copy made by backup_database into a database without users. Run check_integrity afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", type=Path, required=True, metavar="PATH", dest="path")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            summary = backups.restore(path)
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"restored {summary} from {path}")
