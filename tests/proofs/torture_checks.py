"""What the kill test compares after its last fault: the log, the clients' copies of it, watermarks, presence."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import httpx

from tests.kit.waiting import until, wait_until

from .torture_client import Client

DRAIN_SECONDS = 60.0
OFFLINE_SECONDS = 60.0


class Checks:
    """Each check returns a list of problems, which is empty if all is well."""

    def __init__(self, clients: list[Client], rooms: list[str]) -> None:
        self.clients, self.rooms = clients, rooms

    async def catch_up(self) -> list[str]:
        """Lets the clients send their pending messages and resume once more, but no new messages."""
        for client in self.clients:
            client.sending = False
        try:
            await until(
                lambda: not any(client.pending for client in self.clients) and self._all_online(),
                "no message is pending and every user is online",
                seconds=DRAIN_SECONDS,
                poll_seconds=0.3,
            )
        except AssertionError:
            return [
                f"not caught up: pending {[len(client.pending) for client in self.clients]}, "
                f"have {[client.through for client in self.clients]}, "
                f"online {await asyncio.to_thread(self._online)}"
            ]
        wanted = [client.counts["resumes"] + 1 for client in self.clients]
        for client in self.clients:
            client.resumed.clear()
        try:
            await until(
                lambda: all(
                    c.counts["resumes"] >= want for c, want in zip(self.clients, wanted, strict=True)
                ),
                "every client has resumed",
                seconds=DRAIN_SECONDS,
            )
        except AssertionError:
            return ["not every client could resume after the last fault"]
        return []

    def _online(self) -> list[bool]:
        answer = self.clients[0].user.http.get(f"/api/rooms/{self.rooms[0]}/presence")
        return [entry["online"] for entry in answer.json()] if answer.status_code == 200 else []

    def _all_online(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            online = self._online()
            return len(online) == len(self.clients) and all(online)
        return False

    async def check_offline(self) -> list[str]:
        """Waits until presence says that every user is offline. The clients have ended."""

        def offline() -> bool:
            online = self._online()
            return bool(online) and not any(online)

        try:
            await until(offline, "every user is offline", seconds=OFFLINE_SECONDS, poll_seconds=0.2)
        except AssertionError:
            return [f"every client has left, but presence says {await asyncio.to_thread(self._online)}"]
        return []

    def compare(self) -> list[str]:
        """Compares the log with the copies, the acknowledged messages and the watermarks of the clients."""
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
        """Returns the data of a GET. A 503, which may follow the last fault, is retried as clients do it.

        Raises RuntimeError if the 503 stays, and on any other answer.
        """
        answers: list[httpx.Response] = []

        def answered() -> bool:
            answers.append(self.clients[0].user.http.get(path, params=query))
            return answers[-1].status_code != 503

        with contextlib.suppress(AssertionError):
            wait_until(answered, f"{path} is answered", seconds=DRAIN_SECONDS)
        self.clients[0].counts["reads retried"] += len(answers) - 1
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
