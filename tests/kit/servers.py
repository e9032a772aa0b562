"""Chat servers as processes, with a database of their own. Imports nothing of the server, which runs elsewhere."""

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
# Shorter than a deployment's, so that a crash is over in seconds; benchmarks/convergence.py measures the real ones.
SHORT_LEASES = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "PRESENCE_GRACE_SECONDS": "4"}

# Where conftest.py sets one, manage.py is forked from a process that has imported the libraries. Benchmarks and
# other tools start it as a deployment does.
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
    """A real server process with a database of its own, unless DATABASE_URL or DATA_DIR is given in `env`. Where
    TEST_DATABASE_URL is set, the servers of a pytest process share one, but for those that need their own.
    `root` is the folder of the code it runs; code of another folder is not forked."""

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
            # Hashes as a deployment makes them would be half of what a test run computes.
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
        """Run a management command with this server's settings."""
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
            said = done.stdout + done.stderr
            raise RuntimeError(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{said}")
        return done

    def _start_manage(self, *arguments: str, output: int, errors: int) -> AnyProcess:
        if self.forked and fork_server is not None and fork_server.takes(self.env):
            return fork_server.start("manage.py", *arguments, env=self.env, output=output, errors=errors)
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(
            command, stdout=output, stderr=errors, env=self.env, cwd=self.root, start_new_session=True
        )

    def start(self, *, migrate: bool = True) -> Self:
        if migrate:
            self.migrate()
        if self.command == "daphne":
            command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)]
            self.spawn(*command, "chatproject.asgi:application", env=self.env)
        elif self.command == "uvicorn":  # as it comes, without the transport of our own
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
        """Each database once in a test run; SQLite files are copies of one that was migrated."""
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
        """Whether it could store and deliver a message now."""
        return httpx.get(f"{self.base_url}/readyz", timeout=ANSWER_SECONDS).status_code == 200

    def log_records(self) -> list[dict[str, Any]]:
        """What it logged so far; lines that are no JSON (its greeting) are left out."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def http(self, user: "ChatUser | None" = None, **headers: str) -> httpx.Client:
        if user is not None:
            headers["Authorization"] = f"Bearer {user.access_token}"
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=20)

    def sign_up(self, name: str = "") -> "ChatUser":
        """A new user with a unique name."""
        name = f"{name or 'user'}_{uuid.uuid4().hex[:10]}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "displayName": name}
        with self.http() as http:
            answer = http.post("/api/auth/signup", json=body)
        assert answer.status_code == 201, answer.text
        return ChatUser(self, answer.json())


@contextlib.contextmanager
def chat_servers(count: int, **env: str) -> Iterator[list[ChatServer]]:
    """Server processes over one database and whatever else `env` names."""
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
