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
def django_db_modify_db_settings(server_url):
    from django.db import connections

    connections.settings["default"]["CLIENT"]["host"] = server_url


@pytest.fixture
def room(transactional_db):
    from .testapp.models import Room

    return Room.objects.create(name="room")


@pytest.fixture
def messages(room):
    """Thirty messages, seq 0 to 29, a minute apart."""
    from .testapp import make

    return make.messages(room, 30)
