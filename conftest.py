"""Fixtures for every app: one real server for the whole run, and a way to start others with other settings."""

import os
import tempfile
from collections.abc import Callable, Iterator

import pytest

os.environ.setdefault("SECRET_KEY", "tests-only-" + "k" * 50)
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="chat-tests-"))

from realtime.testing import ChatServer, ChatUser, RedisServer


@pytest.fixture(scope="session")
def server() -> Iterator[ChatServer]:
    """The server most tests share: no rate limits, everything else as it comes. Tests make users of their own."""
    chat_server = ChatServer()
    try:
        yield chat_server.start()
    finally:
        chat_server.stop()


@pytest.fixture
def start_server() -> Iterator[Callable[..., ChatServer]]:
    """Starts servers with settings of their own; all are ended with the test."""
    started: list[ChatServer] = []

    def start(**env: str) -> ChatServer:
        started.append(ChatServer(**env))
        return started[-1].start()

    yield start
    for chat_server in started:
        chat_server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    redis = RedisServer()
    try:
        redis.start()
        yield redis
    finally:
        redis.stop()


@pytest.fixture
def alice(server: ChatServer) -> ChatUser:
    return server.sign_up("alice")


@pytest.fixture
def bob(server: ChatServer) -> ChatUser:
    return server.sign_up("bob")


@pytest.fixture
def carol(server: ChatServer) -> ChatUser:
    return server.sign_up("carol")
