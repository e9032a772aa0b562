"""Runs pytest with a MongoDB behind the chat: `python -m tests.kit.on_database [pytest's arguments]`.

Starts the stand-in (secantusdb) in a process of its own, or uses the server that TEST_MONGODB_URL names. Settings
read their database when they are imported, so it has to be there before pytest is.
"""

import os
import subprocess
import sys
from urllib.parse import urlsplit

from djongo_lts.testing import MongoServer

# Each process of pytest-xdist has servers of its own, and so a database of its own.
DATABASE = "chat_tests_{worker}"
NO_TESTS = 5  # pytest's exit status


def main(arguments: list[str]) -> int:
    if url := os.environ.get("TEST_MONGODB_URL"):
        return run_tests(url, arguments)
    mongodb = MongoServer()
    try:
        return run_tests(mongodb.start(), arguments)
    finally:
        mongodb.stop()


def run_tests(url: str, arguments: list[str]) -> int:
    parts = urlsplit(url)
    servers = parts._replace(path=f"/{DATABASE}").geturl()
    env = {**os.environ, "DATABASE_URL": servers.format(worker="main"), "TEST_DATABASE_URL": servers}
    ended = subprocess.run([sys.executable, "-m", "pytest", *arguments], env=env, check=False).returncode
    return 0 if ended == NO_TESTS else ended  # what was asked for may say nothing of the database


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
