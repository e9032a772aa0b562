"""Database URLs for a test run on MongoDB or PostgreSQL, which tests.kit.on_database starts."""

import os
from functools import cache
from urllib.parse import urlsplit

from .postgresql import create_database


def run_database_url(suffix: str = "") -> str | None:
    """Returns the URL of a database for this pytest process; None if the run is on SQLite.

    A `suffix` names a second database. A PostgreSQL database is created if it does not exist; MongoDB creates its
    databases on the first write. Example: `postgresql://chat@127.0.0.1:5433/chat_tests_gw0`.
    """
    if not (template := os.environ.get("TEST_DATABASE_URL")):
        return None
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return _created(template.format(worker=f"{worker}_{suffix}" if suffix else worker))


@cache
def _created(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.startswith("postgres"):
        create_database(parts._replace(path="").geturl(), parts.path.strip("/"))
    return url
