"""Runs pytest on MongoDB or PostgreSQL: `python -m tests.kit.on_database mongodb messaging -k resume`.

Uses the server that TEST_MONGODB_URL or TEST_POSTGRESQL_URL names, or else starts one. The settings read
DATABASE_URL when they are imported, so the database has to run before pytest starts.
"""

import argparse
import os
import subprocess
import sys
from urllib.parse import urlsplit

from djongo_lts.testing import MongoServer

from .postgresql import PostgreSQLServer, installations

# Each worker of pytest-xdist has its own chat servers, and so its own database.
DATABASE = "chat_tests_{worker}"
GIVEN = {"mongodb": "TEST_MONGODB_URL", "postgresql": "TEST_POSTGRESQL_URL"}
# The exit status of pytest when no test was selected.
NO_TESTS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs pytest on another database.")
    parser.add_argument("database", choices=GIVEN)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of pytest")
    chosen = parser.parse_args()
    if url := os.environ.get(GIVEN[chosen.database]):
        return run_tests(url, chosen.arguments)
    server: MongoServer | PostgreSQLServer
    if chosen.database == "mongodb":
        server = MongoServer()
    elif found := installations():
        server = PostgreSQLServer(found[0])
    else:
        print(
            "PostgreSQL is not installed, so its tests are skipped. Install it, or set TEST_POSTGRESQL_URL."
        )
        return 0
    try:
        return run_tests(server.start(), chosen.arguments)
    finally:
        server.stop()


def run_tests(url: str, arguments: list[str]) -> int:
    """Runs pytest with databases on the server at `url`, and returns its exit status."""
    parts = urlsplit(url)
    servers = parts._replace(path=f"/{DATABASE}").geturl()
    env = {**os.environ, "DATABASE_URL": servers.format(worker="main"), "TEST_DATABASE_URL": servers}
    ended = subprocess.run([sys.executable, "-m", "pytest", *arguments], env=env, check=False).returncode
    # The selected tests may all be independent of the database.
    return 0 if ended == NO_TESTS else ended


if __name__ == "__main__":
    sys.exit(main())
