"""The template process of fork_server.py. It has imported the libraries, and no module of the project."""

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
import sys
import threading

MAX_REQUEST_BYTES = 1024 * 1024
# The form of a process id, and later of its exit status, in the status pipe.
NUMBER = struct.Struct("i")

# The modules that servers and commands import, except those that read a setting or a variable of READ_EARLY.
# prometheus_client is left out: its import reads the variable that names the directory of its files.
PRELOADED = (
    "asyncio", "concurrent.futures", "http.server", "logging.config", "multiprocessing.spawn", "sqlite3", "ssl",
    "argon2", "csp.middleware", "dj_database_url", "environs", "fakeredis", "httpx", "jwt", "msgspec", "pymongo",
    "redis.asyncio", "requests", "engineio", "tqdm", "uuid_utils", "opentelemetry.sdk.metrics",
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


def serve(control: socket.socket) -> None:
    """Forks for each request. Returns in the child only, which then runs `sys.argv`."""
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
    # The process that started them has ended or has closed its end.
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        # A child that is just being forked has no process group yet.
        with contextlib.suppress(ProcessLookupError):
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
    """Gives the child what exec would have given it: session, signals, environment, arguments and files.

    The kernel has made the process, and Python has reseeded `random`.
    """
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = args
    sys.orig_argv = [sys.executable, *args]
    os.dup2(output, 1)
    os.dup2(errors, 2)
    # From here on the process group exists and can be sent signals.
    os.write(status, NUMBER.pack(os.getpid()))
    # Up to the highest open file only: the limit of open files may be a billion.
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        importlib.import_module(name)
    from django.conf import settings

    if settings.configured or threading.active_count() > 1:
        sys.exit("a preloaded module has read settings or started a thread")
    gc.collect()
    serve(control)
    control.detach()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
