"""`manage.py seed_demo`: fills the database with a workspace, to try the server and to measure it."""

import re
import secrets
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from console.seeding import Plan, Seeder
from foundation import times
from messaging.management.progress import Progress

NAME = re.compile(r"[a-z0-9-]{1,16}")
MAX_COUNT = 2**31 - 1
# Ids begin with the milliseconds since 1970.
MAX_DAYS = 50 * 365


def whole(least: int, most: int = MAX_COUNT) -> Any:
    def parse(text: str) -> int:
        if re.fullmatch("[0-9]{1,10}", text) and least <= int(text) <= most:
            return int(text)
        raise ArgumentTypeError(f"give a whole number from {least} to {most}")

    return parse


class Command(BaseCommand):
    help = "Fill the database with users, rooms and messages; a second run with the same --name is refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--users", type=whole(2), default=60, help="%(default)s")
        parser.add_argument("--groups", type=whole(1), default=20, help="%(default)s")
        parser.add_argument("--direct-rooms", type=whole(0), default=60, help="%(default)s")
        parser.add_argument("--messages", type=whole(0), default=100_000, help="%(default)s")
        parser.add_argument(
            "--days", type=whole(1, MAX_DAYS), default=60, help="age of the oldest message; %(default)s"
        )
        parser.add_argument(
            "--seed", type=whole(0), default=1, help="the same seed makes the same texts; %(default)s"
        )
        parser.add_argument(
            "--name", default="demo", help="name of the workspace, part of usernames and emails; %(default)s"
        )
        parser.add_argument(
            "--password", default="", help="password of all users; default: random, and shown"
        )

    def handle(self, *args: Any, name: str, password: str, **options: Any) -> None:
        if not NAME.fullmatch(name):
            raise CommandError("--name takes 1 to 16 of the characters a-z, 0-9 and '-'.")
        if User.objects.filter(email=f"ada@{name}.example").exists():
            raise CommandError(
                f"There is a workspace {name!r} already. Give another --name, or use an empty database "
                "(another DATA_DIR or DATABASE_URL)."
            )
        sizes = ("users", "groups", "direct_rooms", "messages", "days", "seed")
        plan = Plan(
            name=name, max_members=settings.MAX_ROOM_MEMBERS, **{size: options[size] for size in sizes}
        )
        password = password or secrets.token_urlsafe(9)
        started = time.perf_counter()
        seeder = Seeder(plan, encoded_password=make_password(password), now=times.now())
        progress = Progress("seeded", total=plan.messages)
        users = seeder.run(progress.advance)
        progress.end()
        took = time.perf_counter() - started
        self.stdout.write(
            f"{len(users)} users, {plan.groups} groups, {plan.messages} messages in {took:.1f} s.\n"
            f"Log in as {users[0].email} or {users[1].email}, all with the password {password}"
        )
