"""On SQLite the server runs without the folder djongo_lts and the package djongo5. About 15 seconds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = [pytest.mark.once, pytest.mark.slow]  # starts its own database

LEFT_OUT = ("djongo_lts", ".*", "node_modules", "data", "staticfiles", "__pycache__", "tests", "benchmarks")

# Python imports sitecustomize when it starts. This one hides the package djongo, as if it were not installed.
WITHOUT_DJONGO = """
import sys

class WithoutDjongo:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "djongo":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, WithoutDjongo())
"""


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[ChatServer]:
    """A server that runs a copy of the code without the engine, with an empty database."""
    shutil.copytree(ROOT, tmp_path / "chat", ignore=shutil.ignore_patterns(*LEFT_OUT))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_DJONGO)
    server = ChatServer(root=tmp_path / "chat", DATABASE_URL="", PYTHONPATH=str(tmp_path / "site"))
    yield server
    server.stop()


async def test_server_when_the_engine_is_removed_then_runs_on_sqlite(
    chat: ChatServer, tmp_path: Path
) -> None:
    chat.manage("check", "--fail-level", "WARNING")
    for module in ("djongo", "djongo_lts"):
        refused = chat.manage("shell", "-v0", "-c", f"import {module}", check=False)
        assert f"No module named '{module}'" in refused.stderr
    chat.manage("makemigrations", "--check", "--dry-run")
    chat.manage("migrate")
    chat.start(migrate=False)
    ann, ben = chat.sign_up("ann"), chat.sign_up("ben")
    room_id = ann.make_room(ben)
    async with ben.connect() as socket:
        sent = ann.send(room_id, "two words")
        received = await socket.expect("message:receive")
    assert received["data"]["id"] == sent["id"]
    answer = ben.http.get("/api/messages/search", params={"q": "WORDS"})
    assert [message["id"] for message in answer.json()["results"]] == [sent["id"]]
    chat.manage("backup_database", "--to", str(tmp_path / "copy.sqlite3"))
