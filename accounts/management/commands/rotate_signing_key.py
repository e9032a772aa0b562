"""`manage.py rotate_signing_key`: adds a new key that signs tokens. Nobody is logged out."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from accounts import keys
from foundation import times
from foundation.durations import parse_seconds


class Command(BaseCommand):
    help = "Adds a key that signs tokens once every process has read it. Older tokens stay valid until they expire."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--after",
            type=parse_seconds,
            default=keys.SIGNS_AFTER,
            help=f"seconds until the key signs; processes read the keys every {keys.REREAD_SECONDS:g} s",
        )

    def handle(self, *args: Any, after: timedelta, **options: Any) -> None:
        rotation = keys.rotate(signs_after=after)
        self.stdout.write(
            f"key {rotation.kid} signs from {times.to_wire(rotation.signs_from)}\n"
            f"tokens of older keys are accepted until {times.to_wire(rotation.old_accepted_until)}\n"
            f"deleted {rotation.deleted} key(s) whose tokens have all expired"
        )
