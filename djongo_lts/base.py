"""The Django connection: djongo's wrapper over a client that is shared, and commands in the place of SQL.
Knows settings and codecs; must not know how queries are translated.
"""

import datetime
import os
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from django.apps import apps
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.asyncio import async_unsafe
from djongo.base import DatabaseWrapper as DjongoWrapper
from djongo.base import DjongoClient
from pymongo.errors import PyMongoError

from . import counts
from .client import get_client
from .creation import DatabaseCreation
from .cursor import Cursor
from .errors import DRIVER_ERRORS, django_error
from .features import DatabaseFeatures
from .introspection import DatabaseIntrospection
from .operations import DatabaseOperations
from .schema import DatabaseSchemaEditor

counts.install()

# Every wait on the server ends; the URL or CLIENT may say otherwise.
TIMEOUTS_MS = {
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,
    "waitQueueTimeoutMS": 5_000,
}


class Collections(dict):
    """A database's collections by name, made once: pymongo builds a new object at each access."""

    def __init__(self, database, enforced):
        self.database, self.enforced = database, enforced

    def __missing__(self, name: str):
        if self.enforced is not None and name not in self.enforced:
            raise PyMongoError(f"no such collection: {name}")
        collection = self[name] = self.database[name]
        return collection


class DatabaseWrapper(DjongoWrapper):
    display_name = "MongoDB (djongo)"
    data_types = {
        **DjongoWrapper.data_types,
        "JSONField": "object",
        "PositiveBigIntegerField": "long",
        "SmallAutoField": "int",
        "UUIDField": "binData",
    }
    data_types_suffix = {**DjongoWrapper.data_types_suffix, "SmallAutoField": "AUTOINCREMENT"}

    SchemaEditorClass = DatabaseSchemaEditor
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations

    _pid: int | None = None

    # --- connection

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        given = {name.lower() for name in params}
        if isinstance(params.get("host"), str):
            given |= {name.lower() for name, _ in parse_qsl(urlsplit(params["host"]).query)}
        if "timeoutms" not in given:
            params.update({k: v for k, v in TIMEOUTS_MS.items() if k.lower() not in given})
        return params

    def get_new_connection(self, params):
        params = dict(params)
        name, enforce = params.pop("name"), params.pop("enforce_schema")
        self.client_connection = get_client(params)
        codec = CodecOptions(
            tz_aware=settings.USE_TZ,
            tzinfo=datetime.UTC if settings.USE_TZ else None,
            uuid_representation=UuidRepresentation.STANDARD,
        )
        database = self.client_connection.get_database(name, codec_options=codec)
        self.djongo_connection = DjongoClient(database, enforce)
        self.collections = Collections(
            database, self.djongo_connection.cached_collections if enforce else None
        )
        self._pid = os.getpid()
        return database

    def ensure_connection(self):
        if self.connection is not None and self._pid != os.getpid():
            self.connection = None  # forked: the parent's client is not ours
        super().ensure_connection()

    def init_connection_state(self):
        # djongo's would configure logging from DATABASES
        BaseDatabaseWrapper.init_connection_state(self)

    def ensure_timezone(self) -> bool:
        """Called when USE_TZ changes (in tests): the codec decides whether times come with a zone."""
        if self.connection is not None:
            self.connection = self.get_new_connection(self.get_connection_params())
        return False

    def create_cursor(self, name=None) -> Cursor:
        return Cursor(self)

    @async_unsafe
    def cursor(self):
        """As Django's, without its wrapper where that has nothing to log, to call or to warn of."""
        if self.queries_logged or self.execute_wrappers or not apps.ready:
            return super().cursor()
        self.close_if_health_check_failed()
        self.ensure_connection()
        self.validate_thread_sharing()
        return Cursor(self)

    def is_usable(self) -> bool:
        try:
            self.client_connection.admin.command("ping")
        except PyMongoError:
            return False
        return True

    def get_database_version(self) -> tuple[int, ...]:
        return tuple(self.run_on_database(lambda database: database.client.server_info()["versionArray"][:2]))

    def indexes(self, table: str) -> dict[str, dict]:
        return self.run_on_database(lambda database: database[table].index_information())

    def explain(self, command) -> dict[str, Any]:
        """The server's plan for a command; nothing is run but the explaining."""
        asked = {name: value for name, value in command.explainable().items() if value or name == "cursor"}
        plan = self.run_on_database(
            lambda db: db.command("explain", asked, verbosity="queryPlanner", codec_options=db.codec_options)
        )
        return plan.get("queryPlanner", plan)

    def run_on_database(self, function):
        """The answer of function(database), outside the query log."""
        self.ensure_connection()
        try:
            return function(self.connection)
        except DRIVER_ERRORS as error:
            raise django_error(error) from error

    def _close(self):
        """The client is the process's: closing one thread's connection leaves it open."""

    # --- transactions: there are none, so atomic() groups nothing and undoes nothing

    def set_autocommit(self, autocommit, force_begin_transaction_with_broken_autocommit=False):
        # as Django's, without a BEGIN in the query log that nobody sends
        self.validate_no_atomic_block()
        self.ensure_connection()
        self.autocommit = autocommit
        if autocommit and self.run_commit_hooks_on_set_autocommit_on:
            self.run_and_clear_commit_hooks()
            self.run_commit_hooks_on_set_autocommit_on = False

    def _rollback(self): ...

    def _savepoint(self, sid): ...

    def _savepoint_rollback(self, sid): ...

    def _savepoint_commit(self, sid): ...
