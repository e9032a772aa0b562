"""Whether a copy is one of this chat, and of this release or an older one."""

from collections.abc import Iterable
from pathlib import Path

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from accounts.models import User
from messaging.models import Message
from rooms.models import Membership, Room

from .errors import BackupError

MIGRATIONS = "django_migrations"
TABLES = {MIGRATIONS, *(model._meta.db_table for model in (User, Room, Membership, Message))}


def require_chat(path: Path, tables: Iterable[str]) -> None:
    """Raise BackupError unless the copy has the tables of a chat."""
    if missing := sorted(TABLES - set(tables)):
        raise BackupError(f"{path} is no copy of a chat: it has no {', '.join(missing)}.")


def require_known(path: Path, applied: Iterable[tuple[str, str]]) -> None:
    """Raise BackupError for a copy without migrations, or with one, as (app, name), that this release lacks."""
    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations or ())
    labels = {config.label for config in apps.get_app_configs()}
    present = set(applied)
    if not present:
        raise BackupError(f"{path} is no copy of a chat: no migration was applied to it.")
    if newer := sorted(f"{app}.{name}" for app, name in present - known if app in labels):
        raise BackupError(f"{path} is of a newer release: this one does not know the migration {newer[-1]}.")
