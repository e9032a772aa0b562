"""`manage.py backup_database --to PATH`: copies the database while the server runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from operations import backups
from operations.backups.errors import first_line


class Command(BaseCommand):
    help = "Copies the whole database while the server runs: SQLite to a file, MongoDB to a directory."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, required=True, metavar="PATH", dest="path")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            summary = backups.backup(path)
        except (backups.BackupError, DatabaseError) as error:
            raise CommandError(first_line(error)) from error
        self.stdout.write(f"backed up {summary} to {path}")
