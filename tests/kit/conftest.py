"""Fixtures for the tests of the kit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .postgresql import PostgreSQLServer, installations


@pytest.fixture(params=installations(), ids=str)
def postgresql(request: pytest.FixtureRequest) -> Iterator[PostgreSQLServer]:
    """A running server of each PostgreSQL that is installed here. Skips the test if there is none."""
    binaries: Path = request.param
    server = PostgreSQLServer(binaries)
    try:
        server.start()
        yield server
    finally:
        server.stop()
