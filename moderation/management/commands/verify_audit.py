"""`manage.py verify_audit`: whether the audit log is whole, from its first entry to its last."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation import audit


class Command(BaseCommand):
    help = "Check the chain of the audit log; ends with 1 and names each place that was tampered with."

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(audit.breaks())
        for problem in found:
            self.stdout.write(problem)
        if found:
            raise CommandError(f"The audit log is broken in {len(found)} places.")
        self.stdout.write("The audit log is whole.")
