"""The kill test: clients send, ack, drop out and resume without pause while what they stand on is killed.

`python -m tests.proofs.torture --rounds 20 --seed 1 --database mongodb`. Each round injects one fault, dealt
from shuffled decks of all kinds, and waits until the servers answer again; at the end the log, every client's copy
of it, watermarks and presence are compared.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from djongo_lts.testing import MongoServer
from tests.kit.processes import free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until, wait_until

ANSWER_SECONDS = 8.0
DRAIN_SECONDS = 60.0
OFFLINE_SECONDS = 60
LEASE = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "PRESENCE_GRACE_SECONDS": "0.5"}
LOST = (OSError, WebSocketException, TimeoutError)


class Client:
    """One user's device, as the contract asks clients to be: keeps what it has, resumes on a gap, retries by id."""

    def __init__(
        self, user: ChatUser, rooms: list[str], servers: list[ChatServer], rng: random.Random
    ) -> None:
        self.user, self.rooms, self.servers, self.rng = user, rooms, servers, rng
        self.have: dict[str, dict[int, str]] = {room: {} for room in rooms}
        self.through = dict.fromkeys(rooms, 0)
        self.pending: list[dict[str, Any]] = []
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.read = dict.fromkeys(rooms, 0)
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.sending = True
        self.ws: Any = None
        self.resumed = asyncio.Event()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._refs = 0

    async def run(self) -> None:
        while True:
            server = self.rng.choice(self.servers)
            headers = {"Authorization": f"Bearer {self.user.access_token}"}
            with contextlib.suppress(*LOST):
                async with asyncio.timeout(ANSWER_SECONDS):
                    ws = await connect(
                        server.ws_url, additional_headers=headers, compression=None, ping_interval=None
                    )
                self.counts["connections"] += 1
                await self._live(ws)
            self.resumed.clear()
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))

    async def _live(self, ws: Any) -> None:
        self.ws = ws
        reader = asyncio.create_task(self._read(ws))
        worker = asyncio.create_task(self._work())
        try:
            done, _ = await asyncio.wait((reader, worker), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reader, worker):
                task.cancel()
            await asyncio.gather(reader, worker, return_exceptions=True)
            for answer in self._answers.values():
                answer.cancel()
            self._answers.clear()
            ws.transport.abort()

    async def _read(self, ws: Any) -> None:
        async for text in ws:
            frame = json.loads(text)
            if "ref" in frame:
                answer = self._answers.pop(frame["ref"], None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
            elif frame["event"] == "message:receive":
                self._take(frame["data"])

    def _take(self, message: dict[str, Any]) -> None:
        room, seq = message["roomId"], message["seq"]
        known = self.have[room].setdefault(seq, message["id"])
        if known != message["id"]:
            self.problems.append(f"seq {seq} of {room} was {known} and is {message['id']}")
        while self.through[room] + 1 in self.have[room]:
            self.through[room] += 1
        if self.resumed.is_set() and seq > self.through[room]:
            self.counts["gaps seen"] += 1
            self.resumed.clear()

    async def _work(self) -> None:
        while True:
            if not self.resumed.is_set():
                await self._resume()
            await self._send_next()
            if self.sending and self.rng.random() < 0.3:
                await self._ack(self.rng.choice(self.rooms))
            if self.sending and self.rng.random() < 0.02:
                self.counts["cut by the client"] += 1
                return
            await asyncio.sleep(self.rng.uniform(0, 0.05) if self.sending else 0.2)

    async def _resume(self) -> None:
        self.resumed.set()  # a gap that is seen from here on asks again
        answer = await self._request("resume", {"rooms": dict(self.through)})
        if answer["event"] != "reply":
            self.resumed.clear()
            return
        for room, state in answer["data"]["rooms"].items():
            if not state["complete"]:
                await asyncio.to_thread(self._page, room)
            elif self.through[room] < state["through"]:
                self.problems.append(
                    f"resume said complete through {state['through']}, have {self.through[room]}"
                )
        self.counts["resumes"] += 1

    def _page(self, room: str) -> None:
        self.counts["resumes refused"] += 1
        with contextlib.suppress(httpx.HTTPError), self.rng.choice(self.servers).http(self.user) as http:
            more = True
            while more:
                query = {"limit": 200, "after": self.through[room]}
                page = http.get(f"/api/rooms/{room}/messages", params=query)
                if page.status_code != 200:
                    break
                for message in page.json()["results"]:
                    self._take(message)
                more = page.json()["hasMore"]

    async def _send_next(self) -> None:
        if self.sending and len(self.pending) < 5:
            room = self.rng.choice(self.rooms)
            key = uuid.UUID(int=self.rng.getrandbits(128)).hex
            self.pending.append({"roomId": room, "content": f"text {key}", "clientMessageId": key})
        if not self.pending:
            return
        message = self.rng.choice(self.pending)
        answer = await self._request("message:send", message)
        if answer["event"] == "reply":
            self.pending.remove(message)
            self.acknowledged[message["clientMessageId"]] = answer["data"]
            self.counts["duplicates answered"] += answer["data"]["duplicate"]
        else:
            self.counts[answer["event"]] += 1
            if answer["data"]["code"] not in ("unavailable", "overloaded", "internal"):
                self.problems.append(f"a send was answered {answer}")

    async def _ack(self, room: str) -> None:
        if self.through[room]:
            seq = self.through[room]
            answer = await self._request("message:ack", {"roomId": room, "seq": seq, "status": "read"})
            if answer["event"] == "reply":
                self.read[room] = max(self.read[room], seq)

    async def _request(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        self._refs += 1
        ref = f"r{self._refs}"
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        await self.ws.send(json.dumps({"event": event, "data": data, "ref": ref}))
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer


class Torture:
    """The servers, their clients, and the faults; all of it from one seed."""

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
        tasks = [asyncio.create_task(client.run()) for client in self.clients]
        try:
            for _ in range(rounds):
                await asyncio.sleep(self.rng.uniform(0.1, 0.6))
                await self._fault()
            problems = await self._settle()
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        problems += [repr(end) for end in ended if not isinstance(end, asyncio.CancelledError)]
        problems += await asyncio.to_thread(self._compare)
        problems += await self._check_offline()
        return {"rounds": rounds, "faults": dict(self.faults), "problems": problems} | self._figures()

    def _figures(self) -> dict[str, Any]:
        counts: Counter[str] = sum((client.counts for client in self.clients), Counter())
        return {"acknowledged": sum(len(client.acknowledged) for client in self.clients), **counts}

    async def _fault(self) -> None:
        if not self._deck:
            self._deck = [self._kill_server, self._cut, self._freeze]
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

    async def _freeze(self) -> None:
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

    async def _settle(self) -> list[str]:
        """No new messages; until everyone has sent what was pending and has the same."""
        for client in self.clients:
            client.sending = False
        try:
            await until(
                lambda: not any(client.pending for client in self.clients) and self._all_online(),
                "nothing is pending and all are online",
                seconds=DRAIN_SECONDS,
                poll_seconds=0.3,
            )
        except AssertionError:
            return [
                f"not settled: pending {[len(client.pending) for client in self.clients]}, "
                f"have {[client.through for client in self.clients]}, "
                f"online {await asyncio.to_thread(self._online)}"
            ]
        wanted = [client.counts["resumes"] + 1 for client in self.clients]
        for client in self.clients:
            client.resumed.clear()  # one more resume, which has to say complete
        try:
            await until(
                lambda: all(
                    c.counts["resumes"] >= want for c, want in zip(self.clients, wanted, strict=True)
                ),
                "all have resumed",
                seconds=DRAIN_SECONDS,
            )
        except AssertionError:
            return ["not everyone could resume once all was quiet"]
        return []

    def _online(self) -> list[bool]:
        answer = self.servers[0].http(self.clients[0].user).get(f"/api/rooms/{self.rooms[0]}/presence")
        return [entry["online"] for entry in answer.json()] if answer.status_code == 200 else []

    def _all_online(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            online = self._online()
            return len(online) == self.user_count and all(online)
        return False

    async def _check_offline(self) -> list[str]:
        def offline() -> bool:
            online = self._online()
            return bool(online) and not any(online)

        try:
            await until(offline, "all are offline", seconds=OFFLINE_SECONDS, poll_seconds=0.2)
        except AssertionError:
            return [f"all have left, and presence says {await asyncio.to_thread(self._online)}"]
        return []

    def _compare(self) -> list[str]:
        problems = [problem for client in self.clients for problem in client.problems]
        logs = {room: self._log(room) for room in self.rooms}
        for room, log in logs.items():
            if [message["seq"] for message in log] != list(range(1, len(log) + 1)):
                problems.append(f"{room}: seq is not 1..{len(log)}")
            keys = Counter((message["from"], message["clientMessageId"]) for message in log)
            problems += [f"{room}: stored {count} times: {key}" for key, count in keys.items() if count > 1]
            order = {message["seq"]: message["id"] for message in log}
            problems += [
                f"{client.user.username} has {len(client.have[room])} of {len(order)} in {room}"
                for client in self.clients
                if client.have[room] != order
            ]
        by_id = {message["id"]: message for log in logs.values() for message in log}
        for client in self.clients:
            for key, answer in client.acknowledged.items():
                stored = by_id.get(answer["serverMessageId"])
                if stored is None or (stored["seq"], stored["clientMessageId"]) != (answer["seq"], key):
                    problems.append(f"acknowledged {answer}, stored {stored}")
        return problems + self._compare_watermarks(logs)

    def _log(self, room: str) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = []
        while page := self._read(f"/api/rooms/{room}/messages", limit=200, after=len(log))["results"]:
            log += page
        return log

    def _read(self, path: str, **query: int) -> dict[str, Any]:
        """What a GET answers once all is quiet. A 503 of the last fault's wake is asked again, as the contract
        has clients do; one that stays, and any other answer, fails the run."""
        answers: list[httpx.Response] = []

        def answered() -> bool:
            answers.append(self.clients[0].user.http.get(path, params=query))
            return answers[-1].status_code != 503

        with contextlib.suppress(AssertionError):
            wait_until(answered, f"{path} is answered", seconds=DRAIN_SECONDS)
        self.clients[0].counts["reads asked again"] += len(answers) - 1
        if answers[-1].status_code != 200:
            raise RuntimeError(f"{path} was answered {answers[-1].status_code} {answers[-1].text}")
        return dict(answers[-1].json())

    def _compare_watermarks(self, logs: dict[str, list[dict[str, Any]]]) -> list[str]:
        problems = []
        for room, log in logs.items():
            detail = self._read(f"/api/rooms/{room}")
            if detail["lastSeq"] != len(log):
                problems.append(f"{room}: lastSeq {detail['lastSeq']} of {len(log)}")
            marks = {member["userId"]: member for member in detail["members"]}
            for client in self.clients:
                mark = marks[client.user.id]
                if not client.read[room] <= mark["readSeq"] <= mark["deliveredSeq"] <= len(log):
                    problems.append(f"{room}: watermarks {mark}, read {client.read[room]} of {len(log)}")
        return problems


def torture(*, rounds: int, seed: int, database: str, processes: int) -> dict[str, Any]:
    """Run so many rounds; returns figures, and `problems`, which has to be empty."""
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
    parser.add_argument("--processes", type=int, default=2, help="one is the embedded default, without Redis")
    report = torture(**vars(parser.parse_args()))
    logs = report.pop("logs", [])
    print(json.dumps(report, indent=2))
    sys.exit("\n".join(logs) if report["problems"] else 0)


if __name__ == "__main__":
    main()
