"""The PostgreSQL server of the kit, with every installation found here. About two seconds each."""

import psycopg
import pytest

from .postgresql import PostgreSQLServer, create_database

pytestmark = pytest.mark.once  # starts its own servers


def test_database_when_created_twice_then_exists_once(postgresql: PostgreSQLServer) -> None:
    create_database(postgresql.url, "chat_tests")
    create_database(postgresql.url, "chat_tests")
    with psycopg.connect(f"{postgresql.url}/chat_tests") as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


def test_server_when_stopped_with_a_client_then_removes_its_data(
    postgresql: PostgreSQLServer,
) -> None:
    client = psycopg.connect(f"{postgresql.url}/postgres")
    postgresql.stop()
    assert not postgresql.folder.exists()
    client.close()
