"""Child processes that write their output to a file and always end."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from .fork_server import ForkedProcess
from .paths import ROOT
from .waiting import wait_until

START_SECONDS = 40.0
FIRST_PORT, LAST_PORT = 10_000, 32_000

AnyProcess = subprocess.Popen[bytes] | ForkedProcess


def free_port() -> int:
    """Returns a TCP port that is free now.

    It is below the range from which Linux gives ports to outgoing connections: one of those could take the port
    before the server listens on it.
    """
    while True:
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """A child process in its own session, with a temporary folder and its output in `log`."""

    root = ROOT

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chat-test-"))
        self.log = self.folder / "output.log"
        self.process: AnyProcess | None = None

    def spawn(self, *command: str, env: dict[str, str] | None = None, **options: Any) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.root,
                start_new_session=True,
                **options,
            )

    def send_signal(self, number: int) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait(self, timeout_seconds: float = 15.0) -> int:
        """Waits for the process to end, and returns its exit status."""
        assert self.process is not None
        return self.process.wait(timeout_seconds)

    def kill(self) -> None:
        """Ends it with SIGKILL, as a crash would."""
        if self.process is not None:
            self.send_signal(signal.SIGKILL)
            self.process.wait()

    def memory_bytes(self) -> int:
        """The resident memory of the process, in bytes, from /proc."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def pause(self) -> None:
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it, with SIGKILL if SIGTERM takes over 15 s, and removes its folder."""
        if self.process is not None and self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until(self, works: Callable[[], bool], what: str) -> None:
        """Waits until `works` returns True. Connection errors count as False.

        Raises RuntimeError with the end of the log if the process ends or 40 s pass.
        """

        def ended_or_works() -> bool:
            if self.process is not None and self.process.poll() is not None:
                return True
            with contextlib.suppress(OSError, httpx.HTTPError):
                return works()
            return False

        with contextlib.suppress(AssertionError):
            wait_until(ended_or_works, what, seconds=START_SECONDS)
            if self.process is None or self.process.poll() is None:
                return
        raise RuntimeError(f"waited in vain for {what}:\n{self.log.read_text(errors='replace')[-4000:]}")
