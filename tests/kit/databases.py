"""The databases of a run on MongoDB or PostgreSQL, which tests.kit.on_database starts."""

import os
from functools import cache
from urllib.parse import urlsplit

from .postgresql import create_database


def run_database_url(suffix: str = "") -> str | None:
    """The URL of a database of this pytest process, made where that is needed; None where the run is on SQLite."""
    if not (template := os.environ.get("TEST_DATABASE_URL")):
        return None
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return _made(template.format(worker=f"{worker}_{suffix}" if suffix else worker))


@cache
def _made(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.startswith("postgres"):
        create_database(parts._replace(path="").geturl(), parts.path.strip("/"))
    return url
