"""Child processes: their output is kept in a file, and they are ended for certain."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from .fork_server import ForkedProcess
from .paths import ROOT

START_SECONDS = 40.0

AnyProcess = subprocess.Popen[bytes] | ForkedProcess


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
        assert self.process is not None
        return self.process.wait(timeout_seconds)

    def kill(self) -> None:
        """End it with -9, as a crash would."""
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
