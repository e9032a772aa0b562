"""`manage.py verify_audit`: checks the audit log from its first entry to its last."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation import audit

HEAD = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{64})", re.ASCII)


def head(text: str) -> tuple[int, str]:
    match = HEAD.fullmatch(text)
    if match is None:
        raise ArgumentTypeError("give SEQ:DIGEST, the fields of a record of chat.audit, such as 12:9f86d0..")
    return int(match[1]), match[2]


class Command(BaseCommand):
    help = (
        "Checks the chain of the audit log. Exits with 1 and names each place that was changed. Entries that were "
        "removed at the end show only with --expect."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--expect",
            metavar="SEQ:DIGEST",
            type=head,
            action="append",
            default=[],
            help="an entry that was written: seq and digest of a record of chat.audit, or from an earlier run",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        breaks = 0
        for description in audit.find_breaks(dict(options["expect"])):
            self.stdout.write(description)
            breaks += 1
        if breaks:
            raise CommandError(f"The audit log was changed in {breaks} place(s).")
        self.stdout.write("The audit log is intact.")
        if last := audit.get_head():
            self.stdout.write(f"Its last entry is {last.seq}:{last.digest}")
