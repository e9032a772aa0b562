"""`manage.py check_integrity [--repair]`: checks the invariants of the database and of the archive."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

from operations import integrity
from operations.backups.errors import first_line
from operations.backups.restore_lease import UNFINISHED, is_unfinished
from operations.migration_state import unapplied


class Command(BaseCommand):
    help = "Checks the invariants of a live database, and prints each violation by the rule of docs/invariants.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair", action="store_true", help="repair what can be repaired without guessing"
        )
        place = parser.add_mutually_exclusive_group()
        place.add_argument(
            "--archive",
            type=Path,
            action="append",
            metavar="DIR",
            help="the archive of this database; default: ARCHIVE_DIR; repeat it for parts in several directories",
        )
        place.add_argument(
            "--archive-elsewhere",
            action="store_true",
            help="the archive is not here: check only the database",
        )
        parser.add_argument(
            "--checksums", action="store_true", help="read the whole archive and compare its checksums"
        )

    def handle(
        self,
        *args: Any,
        repair: bool,
        archive: list[Path] | None,
        archive_elsewhere: bool,
        checksums: bool,
        **options: Any,
    ) -> None:
        archives = [] if archive_elsewhere else archive or [Path(settings.ARCHIVE_DIR)]
        chosen = integrity.Options(repair=repair, archive_dirs=tuple(archives), checksums=checksums)
        try:
            _require_migrated()
            counts = self._print(chosen)
        except (DatabaseError, OSError) as error:
            raise CommandError(f"The check could not be finished: {first_line(error)}") from error
        if counts[False]:
            raise CommandError(
                f"{counts[False]} violation(s) remain, {counts[True]} repaired. docs/runbook.md says what to do."
            )
        self.stdout.write(
            f"All {counts[True]} violation(s) repaired." if counts[True] else "No problems found."
        )

    def _print(self, chosen: integrity.Options) -> Counter[bool]:
        counts: Counter[bool] = Counter()
        for violation in integrity.check(chosen):
            counts[violation.repaired] += 1
            prefix = "repaired " if violation.repaired else ""
            self.stdout.write(f"{prefix}{violation.rule}: {violation.description}")
        return counts


def _require_migrated() -> None:
    if is_unfinished():
        raise CommandError(UNFINISHED)
    if unapplied(MigrationRecorder(connection).applied_migrations()):
        raise CommandError("The database is not migrated to this release. Run `manage.py migrate` first.")
