"""The kill test: clients send, ack, disconnect and resume while servers, Redis and the database are killed.

`python -m tests.proofs.torture --rounds 20 --seed 1 --database mongodb`. Each round injects one fault, dealt from a
shuffled deck of every kind. At the end the log, the clients' copies of it, watermarks and presence are compared.
The pauses between faults are random, and part of the test.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from djongo_lts.testing import MongoServer
from tests.kit.processes import free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

from .torture_checks import Checks
from .torture_client import Client

LEASE = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "PRESENCE_GRACE_SECONDS": "0.5"}


class Torture:
    """The servers, their clients and the faults. The seed decides all that is random."""

    def __init__(self, *, seed: int, database: str, processes: int, users: int = 4, rooms: int = 3) -> None:
        self.rng = random.Random(seed)
        self.redis = RedisServer() if processes > 1 else None
        self.mongo = MongoServer(sync=True) if database == "mongodb" else None
        self.processes, self.user_count, self.room_count = processes, users, rooms
        self.servers: list[ChatServer] = []
        self.clients: list[Client] = []
        self.rooms: list[str] = []
        self.faults: Counter[str] = Counter()
        self._deck: list[Callable[[], Awaitable[None]]] = []

    def start(self) -> None:
        env = dict(LEASE) | {"LOG_LEVEL": "WARNING"}
        if self.redis:
            env["REDIS_URL"] = self.redis.start()
        if self.mongo:
            env["DATABASE_URL"] = f"{self.mongo.start()}/torture"
        for _ in range(self.processes):
            if self.servers:
                env["DATA_DIR"] = self.servers[0].env["DATA_DIR"]
            self.servers.append(ChatServer(port=free_port(), **env))
        for server in self.servers:
            server.start(migrate=server is self.servers[0])
        users = [self.servers[0].sign_up(f"t{number}") for number in range(self.user_count)]
        self.rooms = [users[0].make_room(*users[1:]) for _ in range(self.room_count)]
        self.clients = [
            Client(user, self.rooms, self.servers, random.Random(self.rng.random())) for user in users
        ]

    def stop(self) -> None:
        for process in (*reversed(self.servers), self.redis, self.mongo):
            if process is not None:
                process.stop()

    async def run(self, rounds: int) -> dict[str, Any]:
        checks = Checks(self.clients, self.rooms)
        tasks = [asyncio.create_task(client.run()) for client in self.clients]
        try:
            for _ in range(rounds):
                await asyncio.sleep(self.rng.uniform(0.1, 0.6))
                await self._fault()
            problems = await checks.catch_up()
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        problems += [repr(end) for end in ended if not isinstance(end, asyncio.CancelledError)]
        problems += await asyncio.to_thread(checks.compare)
        problems += await checks.check_offline()
        return {"rounds": rounds, "faults": dict(self.faults), "problems": problems} | self._figures()

    def _figures(self) -> dict[str, Any]:
        counts: Counter[str] = sum((client.counts for client in self.clients), Counter())
        return {"acknowledged": sum(len(client.acknowledged) for client in self.clients), **counts}

    async def _fault(self) -> None:
        if not self._deck:
            self._deck = [self._kill_server, self._cut, self._pause]
            self._deck += [self._restart_redis] if self.redis else []
            self._deck += [self._restart_database] if self.mongo else []
            self.rng.shuffle(self._deck)
        fault = self._deck.pop()
        self.faults[fault.__name__.strip("_")] += 1
        await fault()

    async def _kill_server(self) -> None:
        server = self.rng.choice(self.servers)
        server.kill()
        await asyncio.sleep(self.rng.uniform(0, 0.5))
        await asyncio.to_thread(server.start, migrate=False)

    async def _cut(self) -> None:
        for client in self.clients:
            if client.ws is not None and self.rng.random() < 0.7:
                client.ws.transport.abort()

    async def _pause(self) -> None:
        server = self.rng.choice(self.servers)
        server.pause()
        await asyncio.sleep(self.rng.uniform(0.2, 1.5))
        server.resume()

    async def _restart_redis(self) -> None:
        assert self.redis is not None
        await asyncio.to_thread(self.redis.restart)

    async def _restart_database(self) -> None:
        assert self.mongo is not None
        await asyncio.to_thread(self.mongo.kill)
        await asyncio.sleep(self.rng.uniform(0, 1.0))
        await asyncio.to_thread(self.mongo.start)


def torture(*, rounds: int, seed: int, database: str, processes: int) -> dict[str, Any]:
    """Runs the rounds. Returns figures, and `problems`, a list that has to be empty."""
    run = Torture(seed=seed, database=database, processes=processes)
    try:
        run.start()
        report = asyncio.run(run.run(rounds))
        if report["problems"]:
            report["logs"] = [server.log.read_text(errors="replace")[-3000:] for server in run.servers]
        return report
    finally:
        run.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "mongodb"), default="mongodb")
    parser.add_argument("--processes", type=int, default=2, help="1 runs the default without Redis")
    report = torture(**vars(parser.parse_args()))
    logs = report.pop("logs", [])
    print(json.dumps(report, indent=2))
    sys.exit("\n".join(logs) if report["problems"] else 0)


if __name__ == "__main__":
    main()
