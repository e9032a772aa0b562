"""`manage.py account_hash`: how the security log names an account."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts import selectors
from accounts.names import login_key
from foundation.errors import NotFound
from foundation.ids import parse_uuid
from foundation.security_log import account_hash


class Command(BaseCommand):
    help = "Prints the `account` of a user's records in the security log, one a line: the user's, then a login's."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("login", help="email, username or id of a user")

    def handle(self, *args: Any, login: str, **options: Any) -> None:
        user = selectors.find_account(login=login)
        if user is None:
            user = self._by_id(login)
        if user is not None:
            self.stdout.write(account_hash(user.pk))
        if user is None or login != str(user.pk):
            # Attempts that a limit refused before the account was looked up, or that no account has.
            self.stdout.write(account_hash(*login_key(login).values()))

    def _by_id(self, text: str) -> Any:
        try:
            return selectors.get_user(user_id=parse_uuid(text))
        except NotFound:
            return None
