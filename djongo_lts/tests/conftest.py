"""One MongoDB server for the run of the engine's tests.
Knows the settings of these tests; pytest is started with `-c djongo_lts/tests/pytest.ini`.
"""

import os

import pytest

from djongo_lts.testing import mongo_url

if os.environ.get("DJANGO_SETTINGS_MODULE") != "djongo_lts.tests.settings":
    collect_ignore_glob = ["test_*.py"]  # collected by a project that has settings of its own


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
    """Empty but for content types and permissions; quicker than flush, which makes those anew."""
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
    """Thirty messages, seq 0 to 29, a minute apart."""
    from .testapp import make

    return make.messages(room, 30)
