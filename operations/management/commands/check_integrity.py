"""`manage.py check_integrity [--repair]`: checks the invariants of the database."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import integrity


class Command(BaseCommand):
    help = "Checks the invariants of a live database, and prints each violation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair", action="store_true", help="repair what can be repaired without guessing"
        )

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        counts: Counter[bool] = Counter()
        for violation in integrity.check(repair=repair):
            counts[violation.repaired] += 1
            prefix = "repaired " if violation.repaired else ""
            self.stdout.write(f"{prefix}{violation.rule}: {violation.description}")
        if counts[False]:
            raise CommandError(f"{counts[False]} violation(s) remain, {counts[True]} repaired.")
        self.stdout.write(
            f"All {counts[True]} violation(s) repaired." if counts[True] else "No problems found."
        )
