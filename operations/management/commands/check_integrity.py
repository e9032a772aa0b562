"""`manage.py check_integrity`: does the database keep what the contract promises?"""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import integrity


class Command(BaseCommand):
    help = "Checks a live database against the invariants of the chat, and names each violation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="mend what can be mended without guessing")

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        counts: Counter[bool] = Counter()
        for violation in integrity.check(repair=repair):
            counts[violation.repaired] += 1
            mark = "repaired " if violation.repaired else ""
            self.stdout.write(f"{mark}{violation.rule}: {violation.what}")
        if counts[False]:
            raise CommandError(f"{counts[False]} violation(s) stay, {counts[True]} repaired")
        self.stdout.write(f"The database is sound; {counts[True]} violation(s) repaired.")
