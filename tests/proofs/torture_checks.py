"""What the kill test compares once all is quiet: logs, the clients' copies of them, and watermarks."""

import contextlib
from collections import Counter
from typing import Any

import httpx

from tests.kit.waiting import wait_until

from .torture_client import Client

DRAIN_SECONDS = 60.0


class Checks:
    def __init__(self, clients: list[Client], rooms: list[str]) -> None:
        self.clients, self.rooms = clients, rooms

    def compare(self) -> list[str]:
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
