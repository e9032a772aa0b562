"""Runs pytest with another database behind the chat: `python -m tests.kit.on_database postgresql [arguments]`.

Starts the database in a process of its own, or uses the server that TEST_MONGODB_URL or TEST_POSTGRESQL_URL names.
Settings read their database when they are imported, so it has to be there before pytest is.
"""

import argparse
import os
import subprocess
import sys
from urllib.parse import urlsplit

from djongo_lts.testing import MongoServer

from .postgresql import PostgreSQLServer, installations

# Each process of pytest-xdist has servers of its own, and so a database of its own.
DATABASE = "chat_tests_{worker}"
GIVEN = {"mongodb": "TEST_MONGODB_URL", "postgresql": "TEST_POSTGRESQL_URL"}
NO_TESTS = 5  # pytest's exit status


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs pytest with another database behind the chat.")
    parser.add_argument("database", choices=GIVEN)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of pytest")
    chosen = parser.parse_args()
    if url := os.environ.get(GIVEN[chosen.database]):
        return run_tests(url, chosen.arguments)
    server: MongoServer | PostgreSQLServer
    if chosen.database == "mongodb":
        server = MongoServer()
    elif found := installations():
        server = PostgreSQLServer(found[0])
    else:
        print("PostgreSQL is not installed: the tests on it are skipped.")
        return 0
    try:
        return run_tests(server.start(), chosen.arguments)
    finally:
        server.stop()


def run_tests(url: str, arguments: list[str]) -> int:
    parts = urlsplit(url)
    servers = parts._replace(path=f"/{DATABASE}").geturl()
    env = {**os.environ, "DATABASE_URL": servers.format(worker="main"), "TEST_DATABASE_URL": servers}
    ended = subprocess.run([sys.executable, "-m", "pytest", *arguments], env=env, check=False).returncode
    return 0 if ended == NO_TESTS else ended  # what was asked for may say nothing of the database


if __name__ == "__main__":
    sys.exit(main())
