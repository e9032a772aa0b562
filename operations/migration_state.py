"""Which apps have migrations that are not applied to the database."""

from collections.abc import Iterable
from functools import cache

from django.db.migrations.loader import MigrationLoader

Migration = tuple[str, str]


def unapplied(applied: Iterable[Migration]) -> frozenset[Migration]:
    """The last migrations of apps, as (app, name), that are not among the applied ones."""
    return _last_migrations().difference(applied)


@cache
def _last_migrations() -> frozenset[Migration]:
    return frozenset(MigrationLoader(None).graph.leaf_nodes())
