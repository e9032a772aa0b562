"""`manage.py verify_audit`: checks the audit log from its first entry to its last."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation import audit


class Command(BaseCommand):
    help = "Checks the hash chain of the audit log. Exits with 1 and names each place that was changed."

    def handle(self, *args: Any, **options: Any) -> None:
        breaks = list(audit.find_breaks())
        for description in breaks:
            self.stdout.write(description)
        if breaks:
            raise CommandError(f"The audit log was changed in {len(breaks)} place(s).")
        self.stdout.write("The audit log is intact.")
