"""With DEBUG=on no database thread keeps the queries that it ran."""

from tests.kit.servers import ChatServer

# Enough work for all threads of the pool.
CODE = """
import asyncio
from django.db import connection
from accounts.models import User
from foundation import loop
from foundation.database import run_db

def read():
    for _ in range(20):
        User.objects.filter(pk__isnull=True).first()
    return connection.queries_logged, len(connection.queries_log)

async def read_in_all_threads():
    return await asyncio.gather(*(run_db(read) for _ in range(64)))

print(sorted(set(loop.call(read_in_all_threads()))))
"""


def test_queries_when_debug_is_on_then_none_is_kept() -> None:
    server = ChatServer(DEBUG="on")
    try:
        server.migrate()
        printed = server.manage("shell", "-c", CODE).stdout
    finally:
        server.stop()
    assert printed.strip().splitlines()[-1] == "[(True, 0)]"
