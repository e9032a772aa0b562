"""The servers that are measured. Each is a real process with a database of its own; all use one Redis."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jwt

from tests.kit.paths import ROOT
from tests.kit.processes import Process, free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

from .frame_codecs import ChatCodec, SocketIOCodec, TutorialCodec

JWT_SECRET = "benchmark-only-" + "s" * 40
NODE = Path(__file__).parent / "peers" / "node"
# Limits are counted, as in production, and refuse nothing: the benchmark measures the path of accepted messages.
OPEN_LIMITS = {
    "RATE_LIMITS": "on",
    "LIMIT_MESSAGES_USER": "1000000/1s",
    "LIMIT_MESSAGES_ROOM": "1000000/1s",
    "LIMIT_FRAMES": "1000000/1s",
    "LIMIT_CONNECTS_USER": "1000000/1s",
    "LIMIT_CONNECTS_IP": "1000000/1s",
    "ACCESS_TOKEN_SECONDS": "86400",
    "LOG_LEVEL": "WARNING",
}


class Contender:
    """One server, from `start` to `stop`. `base` is its host and port."""

    name = ""
    codec: ChatCodec

    def __init__(self, redis: RedisServer, database_url: str = "") -> None:
        self.redis = redis
        self.database_url = database_url
        self.base = ""
        self.process: Process

    @property
    def pid(self) -> int:
        assert self.process.process is not None
        return self.process.process.pid

    def start(self, users: int, room_size: int) -> tuple[list[str], list[str]]:
        """Start the server. Return a token and a room for each of `users` clients."""
        raise NotImplementedError

    def stop(self) -> None:
        self.process.stop()


class Ours(Contender):
    """The whole product, on SQLite or the database of `database_url`.

    `root` is the checkout whose code runs, this one by default. It is started and filled by its own `manage.py` and
    its own `benchmarks.seed`, so a checkout with other modules or tables can be measured too.
    """

    name = "ours"
    codec = ChatCodec()

    def __init__(
        self, redis: RedisServer, database_url: str = "", *, name: str = "ours", root: Path = ROOT, **env: str
    ) -> None:
        super().__init__(redis, database_url)
        self.name = name
        self.root = root
        self._env = env

    def start(
        self, users: int, room_size: int, *, messages: Sequence[int] = ()
    ) -> tuple[list[str], list[str]]:
        server = self._server()
        self.process, self.base = server, f"127.0.0.1:{server.port}"
        server.start()
        command = [sys.executable, "-m", "benchmarks.seed", f"--users={users}", f"--room-size={room_size}"]
        command += ["--messages", *map(str, messages)]
        seeded = json.loads(subprocess.check_output(command, env=server.env, cwd=self.root))
        return seeded["tokens"], seeded["rooms"]

    def _server(self) -> "CheckoutServer":
        database = {"DATABASE_URL": self.database_url} if self.database_url else {}
        return CheckoutServer(
            root=self.root, **OPEN_LIMITS, **database, REDIS_URL=self.redis.url, **self._env
        )


class OurHub(Ours):
    """The product's socket, hub and transport without storage, which is all that Socket.IO and the tutorial do."""

    def start(
        self, users: int, room_size: int, *, messages: Sequence[int] = ()
    ) -> tuple[list[str], list[str]]:
        tokens, _ = super().start(users, users)
        return tokens, ["bench"] * users

    def _server(self) -> "CheckoutServer":
        return HubServer(root=self.root, **OPEN_LIMITS, REDIS_URL=self.redis.url)


class CheckoutServer(ChatServer):
    """A server whose tables come from the migrations of its own checkout."""

    def migrate(self) -> None:
        self.manage("migrate", "--verbosity=0")


class HubServer(CheckoutServer):
    def start(self, *, migrate: bool = True) -> "HubServer":
        self.migrate()
        self.spawn(sys.executable, "-m", "benchmarks.apps.hub", env={**self.env, "PORT": str(self.port)})
        self.wait_until(lambda: _listens(self.port), "the hub")
        return self


class Peer(Contender):
    """A server of others. It reads its port, addresses and secret from the environment."""

    command: tuple[str, ...] = ()

    def start(self, users: int, room_size: int) -> tuple[list[str], list[str]]:
        port = free_port()
        self.process, self.base = Process(), f"127.0.0.1:{port}"
        command = [part.format(port=port) for part in self.command]
        env = {"PORT": str(port), "REDIS_URL": self.redis.url, "JWT_SECRET": JWT_SECRET}
        env |= {"MONGO_URL": self.database_url, "PATH": os.environ["PATH"], "NODE_ENV": "production"}
        self.process.spawn(*command, env=env)
        self.process.wait_until(lambda: _listens(port), self.name)
        rooms = [f"room{index // room_size}" for index in range(users)]
        tokens = [
            jwt.encode(
                {"sub": f"user{index}", "rooms": [room], "exp": int(time.time()) + 86400}, JWT_SECRET, "HS256"
            )
            for index, room in enumerate(rooms)
        ]
        return tokens, rooms


class SocketIOFanout(Peer):
    name = "socket.io"
    codec = SocketIOCodec()
    command = ("node", str(NODE / "fanout.js"))


class SocketIOSend(Peer):
    name = "node"
    codec = SocketIOCodec()
    command = ("node", str(NODE / "send.js"))


class Tutorial(Peer):
    name = "channels tutorial"
    codec = TutorialCodec()
    command = (
        sys.executable, "-m", "uvicorn", "benchmarks.peers.channels_tutorial.app:application", "--port", "{port}",
        "--no-access-log", "--log-level", "warning",
    )  # fmt: skip


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
