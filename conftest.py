"""Fixtures for every app: a real server that all tests share, and functions that start others."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import servers
from tests.kit.fork_server import ForkServer
from tests.kit.mounts import Mount, mounted
from tests.kit.paths import ROOT
from tests.kit.redis_servers import RedisServer, running
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

pytest_plugins = ["tests.kit.browser_fixtures"]

NODE_SECONDS = 100

servers.fork_server = ForkServer()


def pytest_unconfigure() -> None:
    assert servers.fork_server is not None
    servers.fork_server.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs modules with slow tests first, so that at the end no worker is left alone with one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Ends the connections that the threads of `run_db` keep. PostgreSQL cannot drop a database that is in use."""
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session")
def server() -> Iterator[ChatServer]:
    """The server that most tests share. Rate limits are off, and access tokens outlive a slow run."""
    chat_server = ChatServer(ACCESS_TOKEN_SECONDS="7200")
    try:
        yield chat_server.start()
    finally:
        chat_server.stop()


@pytest.fixture
def start_server() -> Iterator[Callable[..., ChatServer]]:
    """Returns a function that starts a server with the given settings. All of them end with the test."""
    started: list[ChatServer] = []

    def start(**options: Any) -> ChatServer:
        started.append(ChatServer(**options))
        return started[-1].start()

    yield start
    for chat_server in started:
        chat_server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis that most tests share."""
    with running(RedisServer()) as redis:
        yield redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that the test may kill, restart and pause."""
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mount]:
    """A disk of 16 MB in memory. Skips the test where it cannot be mounted, which needs root."""
    with mounted(tmp_path / "disk", size_bytes=16 * 1024 * 1024) as disk:
        yield disk


@pytest.fixture
def alice(server: ChatServer) -> ChatUser:
    return server.sign_up("alice")


@pytest.fixture
def bob(server: ChatServer) -> ChatUser:
    return server.sign_up("bob")


@pytest.fixture
def carol(server: ChatServer) -> ChatUser:
    return server.sign_up("carol")


@pytest.fixture(scope="session")
def ann(server: ChatServer) -> ChatUser:
    """One of the three users `ann`, `ben` and `cleo`, whom all tests share.

    A test creates its own rooms for them, and does not change their sessions and profiles.
    """
    return server.sign_up("ann")


@pytest.fixture(scope="session")
def ben(server: ChatServer) -> ChatUser:
    return server.sign_up("ben")


@pytest.fixture(scope="session")
def cleo(server: ChatServer) -> ChatUser:
    return server.sign_up("cleo")


@pytest.fixture(scope="session")
def node() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Returns a function that runs node with the packages of package-lock.json. Skips the test without node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    if not (ROOT / "node_modules" / ".package-lock.json").exists():
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=ROOT, check=True, capture_output=True)

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["node", *arguments],
            cwd=ROOT,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=NODE_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
