"""The Django connection: djongo's wrapper over a MongoClient that all threads share.

Cursors execute command objects (`commands.py`) instead of SQL strings. Queries are compiled in `compiler.py`.
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

# Each wait for the server is bounded. The URL and CLIENT override these defaults.
TIMEOUTS_MS = {
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,
    "waitQueueTimeoutMS": 5_000,
}

# The size of the IN lists in one command, unless OPTIONS sets another. A server refuses commands over 16 MiB.
MAX_LIST_BYTES = 8 * 1024 * 1024


class Collections(dict):
    """A database's collections by name. They are cached because pymongo builds a new object at each access.

    `enforced` holds the names of the existing collections; any other name then raises PyMongoError.
    None allows every name.
    """

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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.max_list_bytes: int = self.settings_dict["OPTIONS"].get("max_list_bytes", MAX_LIST_BYTES)

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
        counts.install(self.alias)
        return database

    def ensure_connection(self):
        if self.connection is not None and self._pid != os.getpid():
            # This process was forked: the client belongs to the parent.
            self.connection = None
        super().ensure_connection()

    def init_connection_state(self):
        # Skips djongo's method, which configures logging from DATABASES.
        BaseDatabaseWrapper.init_connection_state(self)

    def ensure_timezone(self) -> bool:
        """Reconnects, because the codec decides whether datetimes are aware. Tests that change USE_TZ call this."""
        if self.connection is not None:
            self.connection = self.get_new_connection(self.get_connection_params())
        return False

    def create_cursor(self, name=None) -> Cursor:
        return Cursor(self)

    @async_unsafe
    def cursor(self):
        """A cursor, without Django's wrapper when it has no query to log, no execute wrapper to call and no
        warning about queries before the apps are ready to give."""
        if self.queries_logged or self.execute_wrappers or not apps.ready:
            return super().cursor()
        self.close_if_health_check_failed()
        if self.connection is None or self._pid != os.getpid():
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
        """The indexes of a collection by name, for example `{"_id_": {"key": [("_id", 1)], "v": 2}}`."""
        return self.run_on_database(lambda database: database[table].index_information())

    def explain(self, command) -> dict[str, Any]:
        """The server's query plan for a command, for example `{"winningPlan": {"stage": "IXSCAN", ..}}`.

        The command itself does not run. Raises a django.db error.
        """
        asked = {name: value for name, value in command.explainable().items() if value or name == "cursor"}
        plan = self.run_on_database(
            lambda db: db.command("explain", asked, verbosity="queryPlanner", codec_options=db.codec_options)
        )
        return plan.get("queryPlanner", plan)

    def run_on_database(self, function):
        """Calls function with the pymongo database and returns its result; the query log does not show the call.

        A driver error is raised as a django.db error.
        """
        self.ensure_connection()
        try:
            return function(self.connection)
        except DRIVER_ERRORS as error:
            raise django_error(error) from error

    def _close(self):
        """Does nothing: the client belongs to the process and stays open when one thread closes its connection."""

    # --- transactions: there are none, so atomic() neither groups writes nor rolls them back

    def set_autocommit(self, autocommit, force_begin_transaction_with_broken_autocommit=False):
        # Repeats Django's method without its BEGIN entry in the query log: no BEGIN is sent.
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
