"""`manage.py restore_database --from PATH`"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import backups


class Command(BaseCommand):
    help = "Load a copy made by backup_database into a database without users; then run check_integrity."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", type=Path, required=True, metavar="PATH", dest="path")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            what = backups.restore(path)
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"restored {what} from {path}")
