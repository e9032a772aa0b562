"""Chat servers as processes. Imports no module of the server, which runs in the other process."""

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx

from .clients import ANSWER_SECONDS
from .databases import run_database_url
from .fork_server import ForkServer
from .paths import ROOT
from .processes import AnyProcess, Process, free_port
from .users import PASSWORD, ChatUser

COMMAND_SECONDS = 120.0
# Shorter than in a deployment, so that presence follows a crash within seconds. benchmarks/convergence.py measures
# the real leases.
SHORT_LEASES = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "PRESENCE_GRACE_SECONDS": "4"}

# Set by conftest.py: tests fork manage.py from a process that has imported the libraries. Benchmarks and tools
# leave it None, and start manage.py as a deployment does.
fork_server: ForkServer | None = None

_SQLITE = "chat.sqlite3"
_migrated_urls: set[str] = set()


@cache
def _migrated_sqlite() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="chat-test-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ChatServer(DATA_DIR=str(folder), DATABASE_URL="").manage("migrate", "--verbosity=0")
    return folder / _SQLITE


class ChatServer(Process):
    """A real server process.

    Its database is a new SQLite file, or the one that DATABASE_URL or DATA_DIR in `env` names. If TEST_DATABASE_URL
    is set, the servers of a pytest process share one database, except those with `own_database`. `command` is
    `serve`, `daphne`, `uvicorn` or `runserver`. `root` is the folder of the code; code of another folder is not
    forked.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        command: str = "serve",
        forked: bool = True,
        own_database: bool = False,
        root: Path = ROOT,
        **env: str,
    ) -> None:
        super().__init__()
        self.forked = forked and root == ROOT
        self.root = root
        self.port = port or free_port()
        self.command = command
        defaults = {
            "SECRET_KEY": "tests-only-" + "k" * 50,
            "DATA_DIR": str(self.folder),
            "RATE_LIMITS": "off",
            # With the memory of a deployment, hashing would be half of the CPU time of a test run.
            "PASSWORD_MEMORY_KIB": "1024",
            "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
            "LOG_LEVEL": "INFO",
        }
        if url := run_database_url(str(self.port) if own_database else ""):
            defaults["DATABASE_URL"] = url
        self.env = {**os.environ, **defaults, **env}

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/chat/"

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a management command with the settings of this server. With `check` a failed command raises
        RuntimeError with its output."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = self._start_manage(*arguments, output=output.fileno(), errors=errors.fileno())
            try:
                returncode = process.wait(COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            output.seek(0)
            errors.seek(0)
            done = subprocess.CompletedProcess(arguments, returncode, output.read(), errors.read())
        if check and done.returncode:
            printed = done.stdout + done.stderr
            raise RuntimeError(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{printed}")
        return done

    def _start_manage(self, *arguments: str, output: int, errors: int) -> AnyProcess:
        if self.forked and fork_server is not None and fork_server.takes(self.env):
            return fork_server.start("manage.py", *arguments, env=self.env, output=output, errors=errors)
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(
            command, stdout=output, stderr=errors, env=self.env, cwd=self.root, start_new_session=True
        )

    def start(self, *, migrate: bool = True) -> Self:
        """Starts the process and waits until /healthz answers. A stopped or killed server can be started again."""
        if migrate:
            self.migrate()
        if self.command == "daphne":
            command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)]
            self.spawn(*command, "chatproject.asgi:application", env=self.env)
        elif self.command == "uvicorn":
            # Plain uvicorn, without the transport of realtime.servers.
            command = [sys.executable, "-m", "uvicorn", "--port", str(self.port), "--no-access-log"]
            self.spawn(*command, "chatproject.asgi:application", env=self.env)
        elif self.command == "runserver":
            self.spawn(sys.executable, "manage.py", "runserver", "--noreload", str(self.port), env=self.env)
        else:
            with self.log.open("ab") as log:
                output = log.fileno()
                self.process = self._start_manage(
                    "serve", "--port", str(self.port), output=output, errors=output
                )
        self.wait_until(lambda: httpx.get(f"{self.base_url}/healthz").status_code == 200, "the chat server")
        return self

    def migrate(self) -> None:
        """Migrates each database once in a test run. A SQLite file is a copy of one that was migrated."""
        if url := self.env.get("DATABASE_URL"):
            if url not in _migrated_urls:
                self.manage("migrate", "--verbosity=0")
                _migrated_urls.add(url)
            return
        database = Path(self.env["DATA_DIR"]) / _SQLITE
        if not database.exists():
            database.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_migrated_sqlite(), database)

    def ready(self) -> bool:
        """Whether /readyz says that the server can store and deliver messages."""
        return httpx.get(f"{self.base_url}/readyz", timeout=ANSWER_SECONDS).status_code == 200

    def log_records(self) -> list[dict[str, Any]]:
        """The JSON records logged so far, without the other lines (the greeting)."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def http(self, user: "ChatUser | None" = None, **headers: str) -> httpx.Client:
        """Returns a client of the REST API: of the user, or without a token."""
        if user is not None:
            headers["Authorization"] = f"Bearer {user.access_token}"
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=20)

    def sign_up(self, name: str = "") -> "ChatUser":
        """Signs up a user with a unique name that begins with `name`."""
        name = f"{name or 'user'}_{uuid.uuid4().hex[:10]}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "displayName": name}
        with self.http() as http:
            answer = http.post("/api/auth/signup", json=body)
        assert answer.status_code == 201, answer.text
        return ChatUser(self, answer.json())


@contextlib.contextmanager
def chat_servers(count: int, **env: str) -> Iterator[list[ChatServer]]:
    """Starts `count` server processes that share one database, with short leases and the variables of `env`."""
    servers = [ChatServer(**SHORT_LEASES, **env)]
    servers += [
        ChatServer(**SHORT_LEASES, **{"DATA_DIR": servers[0].env["DATA_DIR"], **env})
        for _ in range(count - 1)
    ]
    try:
        yield [server.start() for server in servers]
    finally:
        for server in reversed(servers):
            server.stop()
