"""Who is measured in which scenario, in interleaved rounds; every row is kept as soon as it is known.

Knows contenders and scenarios; must not know how either works, or how rows are shown.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from djongo_lts.testing import MongoServer
from tests.kit.redis_servers import RedisServer

from . import scenarios
from .contenders import Contender, OurHub, Ours, SocketIOFanout, SocketIOSend, Tutorial
from .measure import machine
from .scenarios import Row

SCENARIOS = ("fanout", "send", "latency", "connections", "stuck", "history")
FANOUT_SHAPES = ("one", "rate-150", "concurrent-20")
SEND_SHAPES = {"concurrent-1": 10, "concurrent-50": 50, "concurrent-500": 500}  # with how many sockets
HISTORY_LIMITS = {"LIMIT_REST_USER": "1000000/1m", "LIMIT_REST_ANON": "1000000/1m"}
STUCK_SECONDS = 10.0
LATENCY_SENDERS = 50

Turn = Callable[[], list[Row]]


def label(database: str) -> str:
    """`SQLite` or `MongoDB`, of either name or a DATABASE_URL."""
    return {"sqlite": "SQLite", "mongodb": "MongoDB"}.get(database.partition(":")[0], database)


@dataclass(frozen=True)
class Plan:
    """How much is measured; `cpu_seconds` is the least server CPU of a run."""

    rounds: int
    cpu_seconds: float
    shapes: list[str]
    sockets: int
    messages: list[int]
    databases: list[str]


class Runner:
    """One Redis for all; every contender starts afresh in each round, with a database of its own on one server.

    That server is a new one in each round of a scenario: what the stand-in costs grows with all it wrote, fourfold
    in five rounds, by more than what is compared.
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        self._plan = plan
        self._out = out
        self._redis = RedisServer()
        self._mongo = MongoServer()
        self._history_mongo = MongoServer()
        self._databases = 0
        self._capacity: dict[str, float] = {}
        self._folder = tempfile.mkdtemp(prefix="chat-bench-")

    def run(self, names: list[str]) -> dict[str, Any]:
        """All that was measured, what is in `out` of other scenarios too."""
        rows = json.loads(self._out.read_text())["rows"] if self._out.exists() else []
        rows = [row for row in rows if row["scenario"] not in names]
        measured = {"machine": machine(), "rows": rows}
        try:
            self._redis.start()
            for number in range(self._plan.rounds):
                for name in names:
                    for row in self._round(name, number):
                        rows.append(row)
                        print(json.dumps(row), flush=True)
                        self._out.write_text(json.dumps(measured, indent=1) + "\n")
        finally:
            self._redis.stop()
            self._mongo.stop()
            self._history_mongo.stop()
            shutil.rmtree(self._folder)
        return measured

    def _round(self, name: str, number: int) -> Iterator[Row]:
        turns: list[Turn] = getattr(self, f"_{name}")()
        # Whoever is first in one round is last in the next, so that what changes with time hits all alike.
        for turn in turns if number % 2 == 0 else reversed(turns):
            noise, began = os.getloadavg()[0], time.time()
            rows = turn()
            for row in rows:
                yield {"round": number, "load_average": noise, "took": time.time() - began, **row}

    def _fanout(self) -> list[Turn]:
        turns: list[Turn] = []
        for kind in (OurHub, SocketIOFanout, Tutorial):
            # The tutorial's consumer cannot hold 150 messages a second to 200 sockets on one core: it falls behind
            # until its own keepalive closes the connections, so there is no figure for it.
            wanted = [shape for shape in FANOUT_SHAPES if shape in self._plan.shapes]
            shapes = [shape for shape in wanted if (kind, shape) != (Tutorial, "rate-150")]
            turns.append(
                lambda kind=kind, shapes=shapes: self._load(
                    kind(self._redis), "fanout", shapes, users=200, room_size=200
                )
            )
        return turns

    def _send(self) -> list[Turn]:
        self._renew_mongo()
        return [
            lambda kind=kind, users=users, shape=shape: self._load(
                kind(self._redis, self._database()), "send", [shape], users=users, room_size=10
            )
            for shape, users in SEND_SHAPES.items()
            if shape in self._plan.shapes
            for kind in (Ours, SocketIOSend)
        ]

    def _latency(self) -> list[Turn]:
        """p99 at half of what the slower one can do, which the first round finds out."""
        self._renew_mongo()
        kinds = (Ours, SocketIOSend)
        for kind in kinds:
            if kind.name not in self._capacity:
                contender = kind(self._redis, self._database())
                shape = [f"concurrent-{LATENCY_SENDERS}"]
                row = self._load(contender, "latency", shape, users=LATENCY_SENDERS, room_size=10)[0]
                self._capacity[kind.name] = row["sent"] / row["wall"]
        rate = max(1, round(min(self._capacity.values()) / 2))
        return [
            lambda kind=kind: [
                row | {"shape": "half of the slower one's capacity"}
                for row in self._load(
                    kind(self._redis, self._database()),
                    "latency",
                    [f"rate-{rate}"],
                    users=LATENCY_SENDERS,
                    room_size=10,
                )
            ]
            for kind in kinds
        ]

    def _connections(self) -> list[Turn]:
        contenders = [
            OurHub(self._redis),
            Ours(self._redis, label="ours, whole"),
            SocketIOFanout(self._redis),
        ]
        return [
            lambda c=c: uvloop.run(scenarios.connection_rows(c, sockets=self._plan.sockets, room_size=10))
            for c in contenders
        ]

    def _stuck(self) -> list[Turn]:
        contenders = [OurHub(self._redis), SocketIOFanout(self._redis)]
        return [lambda c=c: uvloop.run(scenarios.stuck_rows(c, seconds=STUCK_SECONDS)) for c in contenders]

    def _history(self) -> list[Turn]:
        return [
            lambda database=database: scenarios.history_rows(
                Ours(self._redis, self._filled(database), label=label(database), **HISTORY_LIMITS),
                self._plan.messages,
                cpu_target=self._plan.cpu_seconds,
                mongo_pid=_pid(self._history_mongo) if database == "MongoDB" else None,
            )
            for database in self._plan.databases
        ]

    def _filled(self, database: str) -> str:
        """The URL of the one database that all rounds use: filling it takes longer than measuring."""
        if database == "SQLite":
            return f"sqlite:///{self._folder}/chat.sqlite3"
        if database == "MongoDB":
            if self._history_mongo.process is None:
                self._history_mongo.start()
            return f"{self._history_mongo.url}/history"
        return database

    def _load(self, contender: Contender, name: str, shapes: list[str], **sizes: int) -> list[Row]:
        mongo_pid = _pid(self._mongo) if contender.database_url else None
        return uvloop.run(
            scenarios.load_rows(
                contender, name, shapes, cpu_target=self._plan.cpu_seconds, mongo_pid=mongo_pid, **sizes
            )
        )

    def _renew_mongo(self) -> None:
        self._mongo.stop()  # which takes its data along
        self._mongo.start()

    def _database(self) -> str:
        """A database that nobody has used."""
        self._databases += 1
        return f"{self._mongo.url}/bench{self._databases}"


def _pid(server: MongoServer) -> int | None:
    return None if server.process is None else server.process.pid
