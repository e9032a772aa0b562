"""Fixtures of the engine's tests: one MongoDB server for each test process, and rows.

Run pytest with `-c djongo_lts/tests/pytest.ini`. Under other settings no test here is collected.
"""

import os

import pytest

from djongo_lts.testing import mongo_url

if os.environ.get("DJANGO_SETTINGS_MODULE") != "djongo_lts.tests.settings":
    # A project that collects this folder has other settings.
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def server_url():
    with mongo_url() as url:
        yield url


@pytest.fixture(scope="session")
def django_db_setup(server_url, django_db_blocker):
    from django.db import connections
    from django.test.utils import setup_databases, teardown_databases

    connections.settings["default"]["CLIENT"]["host"] = server_url
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        yield
        teardown_databases(made, verbosity=0)


@pytest.fixture
def mongo(django_db_setup, django_db_blocker):
    """A database that is empty except for content types and permissions.

    This is faster than flush, which creates those again.
    """
    from django.db import connection

    with django_db_blocker.unblock():
        for name in connection.introspection.table_names():
            if name not in ("django_migrations", "django_content_type", "auth_permission"):
                connection.run_on_database(lambda database, name=name: database[name].delete_many({}))
        yield


@pytest.fixture
def room(mongo):
    from .testapp.models import Room

    return Room.objects.create(name="room")


@pytest.fixture
def messages(room):
    """30 messages with seq 0 to 29, one minute apart."""
    from .testapp import make

    return make.messages(room, 30)
