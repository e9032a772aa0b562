"""The database of the tests of backups that is no SQLite."""

from collections.abc import Iterator

import pytest

from djongo_lts.testing import MongoServer


@pytest.fixture(scope="module")
def mongodb() -> Iterator[str]:
    """The URL of a MongoDB server of the module's own, without a database."""
    server = MongoServer()
    try:
        yield server.start()
    finally:
        server.stop()
