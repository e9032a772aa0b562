"""The scenario `history`: what a page of messages costs over REST, at the end and in the middle of a room."""

import time
from collections.abc import Sequence

import httpx

from .contenders import Ours
from .measure import cpu_seconds
from .scenarios import Row


def history_rows(
    contender: Ours, messages: Sequence[int], *, cpu_target: float, mongo_pid: int | None = None
) -> list[Row]:
    """Server CPU of a page at the end and in the middle of rooms with `messages` messages each."""
    tokens, rooms = contender.start(1, 1, messages=messages)
    try:
        rows = []
        with httpx.Client(headers={"Authorization": f"Bearer {tokens[0]}"}, timeout=60) as http:
            for place in ("last", "middle"):
                for room, count in zip(rooms, messages, strict=True):
                    pages = Pages(http, contender, room, count, place)
                    rows.append(pages.measure(cpu_target, mongo_pid))
        return rows
    finally:
        contender.stop()


class Pages:
    """Requests the same page of a room of `count` messages again and again, and checks it."""

    def __init__(self, http: httpx.Client, contender: Ours, room: str, count: int, place: str) -> None:
        self._http = http
        self._contender = contender
        self._url = f"http://{contender.base}/api/rooms/{room}/messages"
        self._shape = f"{place} page of {count}"
        self._query = {"limit": 50}
        end = count
        if place == "middle":
            self._query["before"] = count // 2
            end = count // 2 - 1
        self._seqs = list(range(end - 49, end + 1))

    def measure(self, cpu_target: float, mongo_pid: int | None) -> Row:
        for _ in range(20):
            self._take()
        pid, pages = self._contender.pid, 0
        cpu, began = cpu_seconds(pid), time.perf_counter()
        database = cpu_seconds(mongo_pid) if mongo_pid else 0.0
        while pages % 20 or cpu_seconds(pid) - cpu < cpu_target:
            self._take()
            pages += 1
        return {
            "scenario": "history",
            "shape": self._shape,
            "contender": self._contender.name,
            "server_cpu": cpu_seconds(pid) - cpu,
            "database_cpu": cpu_seconds(mongo_pid) - database if mongo_pid else 0.0,
            "pages": pages,
            "wall": time.perf_counter() - began,
        }

    def _take(self) -> None:
        answer = self._http.get(self._url, params=self._query)
        assert answer.status_code == 200, answer.text
        seqs = [message["seq"] for message in answer.json()["results"]]
        assert seqs == self._seqs, f"wrong page: {seqs}"
