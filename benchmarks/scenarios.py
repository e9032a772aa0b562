"""What is measured, one round of it: functions that return rows of plain figures.

Must not know how they are shown.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from picows import ws_connect

from .clients import BadFrame, ChatCodec, Client, Crowd
from .contenders import Contender, Ours
from .load import Load
from .measure import cpu_seconds, memory_bytes

WARM_UP_SECONDS = 1.0
MAX_RUN_SECONDS = 60.0
QUIET_SECONDS = 0.5
QUIET_CPU = 0.1  # of one core

Row = dict[str, Any]


async def load_rows(
    contender: Contender,
    scenario: str,
    shapes: list[str],
    *,
    users: int,
    room_size: int,
    cpu_target: float,
    mongo_pid: int | None = None,
) -> list[Row]:
    """Each shape (`one`, `concurrent-20`, `rate-150`) on one server, until it has used `cpu_target` seconds."""
    tokens, rooms = contender.start(users, room_size)
    crowd = Crowd(contender.codec)
    try:
        await crowd.connect(contender.base, tokens, rooms)
        await _until_quiet(contender)
        load, rows = Load(crowd, room_size=room_size), []
        for shape in shapes:
            start = _starter(load, crowd, shape)
            await load.run(start, lambda elapsed: elapsed > WARM_UP_SECONDS)
            parts = {"server": contender.pid, "redis": contender.redis.process.pid}  # type: ignore[union-attr]
            parts |= {"database": mongo_pid} if mongo_pid else {}
            before = {name: cpu_seconds(pid) for name, pid in parts.items()}
            generator = time.process_time()

            def enough(elapsed: float, used: float = before["server"]) -> bool:
                return elapsed > MAX_RUN_SECONDS or cpu_seconds(contender.pid) - used >= cpu_target

            result = await load.run(start, enough)
            cpu = {f"{name}_cpu": cpu_seconds(pid) - before[name] for name, pid in parts.items()}
            cpu["generator_cpu"] = time.process_time() - generator
            rows.append(
                {"scenario": scenario, "shape": shape, "contender": contender.name, **vars(result), **cpu}
            )
        return rows
    except BadFrame as error:
        error.add_note(contender.process.log.read_text(errors="replace")[-2000:])
        raise
    finally:
        crowd.close()
        contender.stop()


async def _until_quiet(contender: Contender) -> None:
    """What connecting brings, as telling peers who is there, is no part of what a message costs."""
    used, deadline = cpu_seconds(contender.pid), time.perf_counter() + MAX_RUN_SECONDS
    while time.perf_counter() < deadline:
        await asyncio.sleep(QUIET_SECONDS)
        before, used = used, cpu_seconds(contender.pid)
        if used - before < QUIET_CPU * QUIET_SECONDS:
            return


def _starter(load: Load, crowd: Crowd, shape: str) -> Callable[[], Any]:
    kind, _, number = shape.partition("-")
    if kind == "one":
        return load.one_at_a_time
    if kind == "concurrent":
        return lambda: load.concurrent(crowd.clients[: int(number)])
    return lambda: load.at_rate(crowd.clients[:50], float(number))


async def connection_rows(contender: Contender, *, sockets: int, room_size: int) -> list[Row]:
    """Memory of an idle authenticated socket, and accepts for each CPU-second."""
    tokens, rooms = contender.start(sockets, room_size)
    crowd = Crowd(contender.codec)
    try:
        await crowd.connect(contender.base, tokens[:50], rooms[:50])
        memory, cpu = memory_bytes(contender.pid), cpu_seconds(contender.pid)
        others = Crowd(contender.codec)
        await others.connect(contender.base, tokens[50:], rooms[50:], at_once=50)
        accepted = len(others.clients)
        used = cpu_seconds(contender.pid) - cpu
        await asyncio.sleep(2)
        grown = memory_bytes(contender.pid) - memory
        others.close()
        row = {"scenario": "connections", "shape": f"{sockets} idle", "contender": contender.name}
        return [
            {**row, "bytes_each": grown / accepted, "accepts_per_cpu": accepted / used, "server_cpu": used}
        ]
    finally:
        crowd.close()
        contender.stop()


async def stuck_rows(contender: Contender, *, seconds: float) -> list[Row]:
    """One client of a room of 50 never reads: what it costs the server, and what its neighbours notice."""
    size = 50
    tokens, rooms = contender.start(size + 1, size + 1)
    crowd = Crowd(contender.codec)
    try:
        await crowd.connect(contender.base, tokens[:size], rooms[:size])
        load, rows = Load(crowd, room_size=size), []
        for shape in ("all read", "one is stuck"):
            if shape == "one is stuck":
                held = await _connect_stuck(crowd, contender, tokens[size], rooms[size])
            memory = memory_bytes(contender.pid)
            start = _starter(load, crowd, "rate-300")
            result = await load.run(start, lambda elapsed: elapsed > seconds)
            grown = memory_bytes(contender.pid) - memory
            rows.append(
                {"scenario": "stuck", "shape": shape, "contender": contender.name, "grown_bytes": grown}
                | vars(result)
            )
        held.disconnect()
        return rows
    finally:
        crowd.close()
        contender.stop()


async def _connect_stuck(crowd: Crowd, contender: Contender, token: str, room: str) -> Any:
    own = Crowd(contender.codec)
    client = Client(own, 0, room, token)
    codec: ChatCodec = contender.codec
    transport, _ = await ws_connect(
        lambda: client, codec.url(contender.base, token), extra_headers=codec.headers(token)
    )
    await client.ready
    transport.underlying_transport.pause_reading()
    return transport


def history_rows(
    contender: Ours, messages: Sequence[int], *, cpu_target: float, mongo_pid: int | None = None
) -> list[Row]:
    """CPU of a page in the middle and at the end of a room of each size, over REST."""
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
    """One page of a room of `count` messages, asked for again and again."""

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
        assert seqs == self._seqs, f"a wrong page: {seqs}"
