"""`manage.py prune_presence [--dry-run]`: removes leases that ended while no server was running."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from foundation import loop
from foundation.redis.outage import REDIS_AWAY
from presence import services

TIMEOUT_SECONDS = 600.0


class Command(BaseCommand):
    help = "Removes ended presence leases and orphaned entries from Redis, and lists them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only list what would be removed")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if not settings.REDIS_URL:
            self.stdout.write("Without REDIS_URL presence is inside the server process: nothing to prune.")
            return
        try:
            pruned = loop.call(services.prune_presence(dry_run=dry_run), timeout_seconds=TIMEOUT_SECONDS)
        except REDIS_AWAY as error:
            raise CommandError(f"Redis is away, so pruning stopped: {error!r}") from error
        verb = "would remove" if dry_run else "removed"
        for user_id, sockets in sorted(pruned.sockets.items()):
            self.stdout.write(f"{verb} {sockets} expired socket lease(s) of user {user_id}")
        for user_id in sorted(pruned.ended):
            self.stdout.write(f"{verb} user {user_id} from the online users: the last lease has ended")
        for user_id in sorted(pruned.orphans):
            self.stdout.write(f"{verb} an orphaned time of leaving of user {user_id}")
        leases, users, orphans = sum(pruned.sockets.values()), len(pruned.ended), len(pruned.orphans)
        self.stdout.write(f"{verb} {leases} socket lease(s), {users} user(s), {orphans} orphan(s)")
