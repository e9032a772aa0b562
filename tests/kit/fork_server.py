"""Starts Python scripts by forking a process that has imported the libraries, which saves half of a start.

Knows libraries and processes; must not import anything of the server, nor configure what is configured by settings.
What it starts is a process like any other: with a session, environment, exit status and death of its own, and with
the project's own modules read anew.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MAX_REQUEST_BYTES = 1024 * 1024

# What servers and commands import, as far as it asks for no setting and for no variable below. prometheus_client is
# left out: on its import it looks for the directory of its files.
PRELOADED = (
    "asyncio", "concurrent.futures", "http.server", "logging.config", "multiprocessing.spawn", "sqlite3", "ssl",
    "argon2", "csp.middleware", "dj_database_url", "environs", "fakeredis", "httpx", "jwt", "msgspec", "pymongo",
    "redis.asyncio", "requests", "socketio", "tqdm", "uuid_utils", "opentelemetry.sdk.metrics",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl", "uvicorn.supervisors",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "channels.generic.websocket", "channels.layers", "channels.routing", "channels_redis.pubsub",
    "corsheaders.middleware", "django_redis.cache", "servestatic.middleware",
    "django.contrib.admin", "django.contrib.auth.hashers", "django.contrib.auth.password_validation",
    "django.contrib.messages.middleware", "django.contrib.postgres.forms", "django.contrib.sessions.backends.db",
    "django.contrib.staticfiles.finders", "django.core.asgi", "django.core.management.commands.migrate",
    "django.core.management.commands.shell", "django.db.backends.sqlite3.base", "django.db.migrations.executor",
    "django.template.loader", "django.test", "django.views.debug", "django.views.generic",
    "rest_framework.compat", "rest_framework.permissions", "rest_framework.response", "rest_framework.serializers",
)  # fmt: skip
# Variables that the interpreter and libraries have read by now: where they differ, nothing is forked.
READ_EARLY = (
    "PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "OTEL_PYTHON_", "PROMETHEUS_", "TZ", "WEBSOCKETS_"
)  # fmt: skip
NUMBER = struct.Struct("i")  # of a process, and then its exit status


class ForkedProcess:
    """What the kit uses of a subprocess.Popen, for a process whose parent is the template."""

    def __init__(self, args: Sequence[str], status: int) -> None:
        self.args = args
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()
        self.pid = self._read()

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        with self._lock:
            if self.returncode is None:
                self.returncode = self._read()
            return self.returncode

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def _read(self) -> int:
        number = os.read(self._status, NUMBER.size)
        if not number:
            raise RuntimeError("the fork server is gone; its standard error says why")
        return int(NUMBER.unpack(number)[0])

    def __del__(self) -> None:
        os.close(self._status)  # not before: another thread may be waiting for it


class ForkServer:
    """The template process, which begins with the first start and ends, and all it forked, with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._env = dict(os.environ)

    def takes(self, env: Mapping[str, str]) -> bool:
        """Whether a start with this environment may be a fork; others have to be real ones."""
        return sys.platform == "linux" and _read_early(env) == _read_early(self._env)

    def start(self, *args: str, env: Mapping[str, str], output: int, errors: int) -> ForkedProcess:
        """Run a script, `args[0]`, from the root of the project, with /dev/null for its input."""
        request = json.dumps([args, dict(env)]).encode()
        status, theirs = os.pipe()
        try:
            socket.send_fds(self._template(), [request], [output, errors, theirs])
        finally:
            os.close(theirs)
        return ForkedProcess(args, status)

    def close(self) -> None:
        """End the template and what still runs of its children."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()

    def _template(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._process = subprocess.Popen(
                        [sys.executable, "-m", "tests.kit.fork_server", str(theirs.fileno())],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        pass_fds=[theirs.fileno()],
                        env=self._env,
                        cwd=ROOT,
                        start_new_session=True,
                    )
            return self._control


def _read_early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(READ_EARLY)}


def serve(control: socket.socket) -> None:
    """Fork for each request; returns in the child, which is then to run `sys.argv`."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(running, os.WNOHANG)
        if control.fileno() in ready:
            request, files, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 3)
            if not request:
                break
            output, errors, status = files
            pid = os.fork()
            if pid == 0:
                args, env = json.loads(request)
                _become(args, env, output, errors, status)
                return
            os.close(output)
            os.close(errors)
            running[pid] = status
    for pid in running:  # whoever started them is gone
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):  # it had no group yet
            os.killpg(pid, signal.SIGKILL)
    _report_ended(running, 0)
    sys.exit()


def _report_ended(running: dict[int, int], options: int) -> None:
    while running:
        pid, status = os.waitpid(-1, options)
        if pid == 0:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(running[pid], NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os.close(running.pop(pid))


def _become(args: list[str], env: dict[str, str], output: int, errors: int, status: int) -> None:
    """What exec would have done. The kernel has made the process, and Python has reseeded `random`."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = args
    sys.orig_argv = [sys.executable, *args]
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.write(status, NUMBER.pack(os.getpid()))  # from here on its group can be sent signals
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)  # the limit may be a billion


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        importlib.import_module(name)
    from django.conf import settings

    if settings.configured or threading.active_count() > 1:
        sys.exit("a preloaded module has read settings, or has begun a thread")
    gc.collect()
    serve(control)
    control.detach()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
