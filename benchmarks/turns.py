"""The turns of a round: which contenders each scenario measures, and in which order."""

import shutil
import tempfile
from collections.abc import Callable, Iterable

import uvloop

from djongo_lts.testing import MongoServer
from tests.kit.redis_servers import RedisServer

from . import history, scenarios
from .contenders import Contender, OurHub, Ours, SocketIOFanout, SocketIOSend, Tutorial
from .plan import FANOUT_SHAPES, SEND_SHAPES, Plan
from .scenarios import Row

HISTORY_LIMITS = {"LIMIT_REST_USER": "1000000/1m", "LIMIT_REST_ANON": "1000000/1m"}
STUCK_SECONDS = 10.0
LATENCY_SENDERS = 50
# The end of the name of a contender that is the whole product, in a scenario where others are hubs alone.
WHOLE = ", whole"

Turn = Callable[[], list[Row]]


class Turns:
    """The turns of one round by scenario: each starts its contender afresh and returns the rows it measured.

    All contenders use one Redis. `send` and `latency` begin each round with a new stand-in for MongoDB, because its
    cost grows with everything it has written: fourfold in five rounds, more than the difference that is measured.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._redis = RedisServer()
        self._mongo = MongoServer()
        self._history_mongo = MongoServer()
        self._databases = 0
        self._capacity: dict[str, float] = {}
        self._folder = tempfile.mkdtemp(prefix="chat-bench-")

    def start(self) -> None:
        self._redis.start()

    def stop(self) -> None:
        self._redis.stop()
        self._mongo.stop()
        self._history_mongo.stop()
        shutil.rmtree(self._folder)

    def of(self, scenario: str) -> list[Turn]:
        turns: list[Turn] = getattr(self, f"_{scenario}")()
        return turns

    def _wanted(self, contenders: Iterable[Contender]) -> list[Contender]:
        names = self._plan.contenders
        return [one for one in contenders if not names or one.name.removesuffix(WHOLE) in names]

    def _our_hubs(self) -> list[Contender]:
        hubs: list[Contender] = [OurHub(self._redis)]
        if self._plan.before:
            hubs.append(OurHub(self._redis, name="before", root=self._plan.before))
        return hubs

    def _wholes(self, database: Callable[[], str], suffix: str = "") -> list[Contender]:
        wholes: list[Contender] = [Ours(self._redis, database(), name=f"ours{suffix}")]
        if self._plan.before:
            wholes.append(Ours(self._redis, database(), name=f"before{suffix}", root=self._plan.before))
        return wholes

    def _fanout(self) -> list[Turn]:
        turns: list[Turn] = []
        contenders = [*self._our_hubs(), SocketIOFanout(self._redis), Tutorial(self._redis)]
        for contender in self._wanted(contenders):
            wanted = [shape for shape in FANOUT_SHAPES if shape in self._plan.shapes]
            # The tutorial's consumer cannot deliver 150 messages a second to 200 sockets on one core. It falls
            # behind until its own keepalive closes the connections, so it has no figure for this shape.
            shapes = [s for s in wanted if not (isinstance(contender, Tutorial) and s == "rate-150")]
            turns.append(
                lambda contender=contender, shapes=shapes: self._load(
                    contender, "fanout", shapes, users=200, room_size=200
                )
            )
        return turns

    def _send(self) -> list[Turn]:
        self._renew_mongo()
        return [
            lambda contender=contender, users=users, shape=shape: self._load(
                contender, "send", [shape], users=users, room_size=10
            )
            for shape, users in SEND_SHAPES.items()
            if shape in self._plan.shapes
            for contender in self._wanted(
                [*self._wholes(self._new_database), SocketIOSend(self._redis, self._new_database())]
            )
        ]

    def _latency(self) -> list[Turn]:
        """Half of the capacity of the slower server, which is measured once, before the first round."""
        self._renew_mongo()
        kinds = (Ours, SocketIOSend)
        for kind in kinds:
            if kind.name not in self._capacity:
                contender = kind(self._redis, self._new_database())
                shape = [f"concurrent-{LATENCY_SENDERS}"]
                row = self._load(contender, "latency", shape, users=LATENCY_SENDERS, room_size=10)[0]
                self._capacity[kind.name] = row["sent"] / row["wall"]
        rate = max(1, round(min(self._capacity.values()) / 2))
        return [
            lambda kind=kind: [
                row | {"shape": "half of the slower one's capacity"}
                for row in self._load(
                    kind(self._redis, self._new_database()),
                    "latency",
                    [f"rate-{rate}"],
                    users=LATENCY_SENDERS,
                    room_size=10,
                )
            ]
            for kind in kinds
        ]

    def _connections(self) -> list[Turn]:
        wholes = self._wholes(lambda: "", WHOLE)
        contenders = self._wanted([*self._our_hubs(), *wholes, SocketIOFanout(self._redis)])
        return [
            lambda c=c: uvloop.run(scenarios.connection_rows(c, sockets=self._plan.sockets, room_size=10))
            for c in contenders
        ]

    def _stuck(self) -> list[Turn]:
        contenders = self._wanted([OurHub(self._redis), SocketIOFanout(self._redis)])
        return [lambda c=c: uvloop.run(scenarios.stuck_rows(c, seconds=STUCK_SECONDS)) for c in contenders]

    def _history(self) -> list[Turn]:
        return [
            lambda database=database: history.history_rows(
                Ours(self._redis, self._filled(database), name=label(database), **HISTORY_LIMITS),
                self._plan.messages,
                cpu_target=self._plan.cpu_seconds,
                mongo_pid=_pid(self._history_mongo) if database == "MongoDB" else None,
            )
            for database in self._plan.databases
        ]

    def _filled(self, database: str) -> str:
        """The URL of the database that all rounds share, because filling it takes longer than measuring."""
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
        # Stopping it deletes its data.
        self._mongo.stop()
        self._mongo.start()

    def _new_database(self) -> str:
        self._databases += 1
        return f"{self._mongo.url}/bench{self._databases}"


def label(database: str) -> str:
    """`SQLite` or `MongoDB`, for either name or a DATABASE_URL."""
    return {"sqlite": "SQLite", "mongodb": "MongoDB"}.get(database.partition(":")[0], database)


def _pid(server: MongoServer) -> int | None:
    return None if server.process is None else server.process.pid
