"""Starts Python scripts by forking a template process that has imported the libraries. This halves the start time.

The template imports no module of the project and reads no settings. A forked process is therefore like any other:
it has its own session, environment and exit status, and imports the project's modules itself.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from .fork_template import NUMBER
from .paths import ROOT

# Variables that the interpreter and the libraries read early. A process with other values is not forked.
READ_EARLY = (
    "PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "OTEL_PYTHON_", "PROMETHEUS_", "TZ", "WEBSOCKETS_"
)  # fmt: skip


class ForkedProcess:
    """The parts of subprocess.Popen that the kit uses, for a process whose parent is the template."""

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
            raise RuntimeError("the fork server has ended; its standard error says why")
        return int(NUMBER.unpack(number)[0])

    def __del__(self) -> None:
        # Closed only here: another thread may wait for it until then.
        os.close(self._status)


class ForkServer:
    """Owns the template process, which the first `start` starts. `close` ends it and the processes it forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._env = dict(os.environ)

    def takes(self, env: Mapping[str, str]) -> bool:
        """Whether a process with this environment can be forked. Otherwise it has to be started."""
        return sys.platform == "linux" and _read_early(env) == _read_early(self._env)

    def start(self, *args: str, env: Mapping[str, str], output: int, errors: int) -> ForkedProcess:
        """Runs the script `args[0]` in the root of the project, with /dev/null as standard input.

        `output` and `errors` are file descriptors.
        """
        request = json.dumps([args, dict(env)]).encode()
        status, theirs = os.pipe()
        try:
            socket.send_fds(self._template(), [request], [output, errors, theirs])
        finally:
            os.close(theirs)
        return ForkedProcess(args, status)

    def close(self) -> None:
        """Ends the template and those of its children that still run."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()

    def _template(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._process = subprocess.Popen(
                        [sys.executable, "-m", "tests.kit.fork_template", str(theirs.fileno())],
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
