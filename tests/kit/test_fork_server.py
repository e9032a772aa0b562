"""A forked process behaves like one that was started. About six seconds."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import servers
from tests.kit.fork_server import ForkedProcess, ForkServer

from .servers import ChatServer

pytestmark = pytest.mark.once  # tests processes only

# Prints what a process can find out about itself, except its id; then a random number.
FACTS = """
import gc, json, os, random, signal, sys, threading
pid = os.getpid()
print(json.dumps({
    "arguments": sys.argv, "original": sys.orig_argv[1:], "script": sys.modules["__main__"].__file__[-9:],
    "environment": dict(os.environ), "place": os.getcwd(), "path": [entry or os.getcwd() for entry in sys.path],
    "own session": os.getsid(0) == pid, "own group": os.getpgid(0) == pid, "input": os.readlink("/proc/self/fd/0"),
    "files": sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
    "buffers": [sys.stdout.line_buffering, sys.stderr.line_buffering, sys.stdout.encoding, sys.stderr.errors],
    "signals": [str(signal.getsignal(number)) for number in signal.valid_signals()],
    "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, [])], "woken": signal.set_wakeup_fd(-1),
    "memory": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
    "threads": [thread.name for thread in threading.enumerate()], "tasks": len(os.listdir("/proc/self/task")),
}))
print(random.random())
"""


def facts(server: ChatServer, code: str = FACTS) -> tuple[dict[str, object], str]:
    first, second = server.manage("shell", "-v0", "-c", code).stdout.splitlines()
    return json.loads(first), second


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    """Runs code as a script on the fork server of the test run, or on another one."""
    output = (tmp_path / "output").open("w+b")

    def run(code: str, forks: ForkServer | None = servers.fork_server) -> ForkedProcess:
        path = tmp_path / "script.py"
        path.write_text(code)
        assert forks is not None
        return forks.start(str(path), env=os.environ, output=output.fileno(), errors=output.fileno())

    run.output = output  # type: ignore[attr-defined]
    yield run
    output.close()


def test_process_when_forked_then_is_like_one_that_was_started(tmp_path: Path) -> None:
    env = {"DATA_DIR": str(tmp_path), "LOG_LEVEL": "ERROR"}
    forked, started = ChatServer(**env), ChatServer(**env, forked=False)
    (one, number), (other, another), (expected, _) = facts(forked), facts(forked), facts(started)
    assert one == other == expected
    assert number != another


def test_process_when_it_ends_then_keeps_its_status_and_output(script: Any) -> None:
    for code, status, printed in (
        ("print('well')", 0, b"well\n"),
        ("import sys; sys.exit(3)", 3, b""),
        ("import sys; sys.exit('no')", 1, b"no\n"),
        (
            "import atexit; atexit.register(print, 'late'); 1 / 0",
            1,
            b"ZeroDivisionError: division by zero\nlate\n",
        ),
        ("import os; os.kill(os.getpid(), 9)", -9, b""),
    ):
        script.output.seek(0)
        script.output.truncate()
        assert script(code).wait(30) == status
        script.output.seek(0)
        assert script.output.read().endswith(printed)
        assert printed or not script.output.tell()


def test_process_when_sent_signals_then_takes_them_with_its_group(script: Any) -> None:
    process = script("import signal; print('there', flush=True); signal.pause()")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, signal.SIGSTOP)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGCONT)
    process.terminate()
    assert process.wait(30) == -signal.SIGTERM
    assert process.poll() == -signal.SIGTERM


def test_fork_server_when_closed_then_ends_the_processes_it_forked(script: Any) -> None:
    forks = ForkServer()
    process = script("import signal; signal.pause()", forks)
    forks.close()
    assert process.wait(30) == -signal.SIGKILL


def test_start_when_the_template_read_a_variable_then_does_not_fork(
    tmp_path: Path,
) -> None:
    code = "import sys; print(sys.flags.hash_randomization)"
    printed = [
        ChatServer(DATA_DIR=str(tmp_path), **env).manage("shell", "-v0", "-c", code).stdout.strip()
        for env in ({}, {"PYTHONHASHSEED": "0"})
    ]
    assert printed == ["1", "0"]
