"""The database of a pytest process. About two seconds for each PostgreSQL."""

import psycopg
import pytest

from .databases import run_database_url
from .postgresql import PostgreSQLServer

pytestmark = pytest.mark.once  # names databases of its own


def test_url_when_the_run_is_on_sqlite_then_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    assert run_database_url() is None


def test_url_when_the_run_is_on_mongodb_then_names_worker_and_suffix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "mongodb://127.0.0.1:1/chat_{worker}")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
    assert run_database_url() == "mongodb://127.0.0.1:1/chat_gw3"
    assert run_database_url("own") == "mongodb://127.0.0.1:1/chat_gw3_own"
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert run_database_url() == "mongodb://127.0.0.1:1/chat_main"


def test_url_when_the_run_is_on_postgresql_then_its_database_exists(
    monkeypatch: pytest.MonkeyPatch, postgresql: PostgreSQLServer
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", f"{postgresql.url}/chat_{{worker}}")
    for suffix in ("", "own"):
        url = run_database_url(suffix)
        assert url is not None
        psycopg.connect(url).close()
