"""The app of accounts: `migrate` makes the first signing seed."""

from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        post_migrate.connect(_make_first_seed, sender=self)


def _make_first_seed(*, using: str, **_: Any) -> None:
    from . import keys
    from .models import SigningSeed

    # A migration backwards may have removed the table.
    tables = connections[using].introspection.table_names()
    if using == DEFAULT_DB_ALIAS and SigningSeed._meta.db_table in tables:
        keys.make_first_seed()
