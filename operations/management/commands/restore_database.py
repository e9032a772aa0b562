"""`manage.py restore_database --from PATH`: loads a copy into an empty database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from operations import backups
from operations.backups.errors import first_line


class Command(BaseCommand):
    help = (
        "Loads a copy made by backup_database into a database without users. Run check_integrity afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", type=Path, required=True, metavar="PATH", dest="path")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            summary = backups.restore(path)
        except (backups.BackupError, DatabaseError) as error:
            raise CommandError(first_line(error)) from error
        self.stdout.write(f"restored {summary} from {path}")
