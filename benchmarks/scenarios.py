"""The scenarios that need a crowd of clients: each function measures one contender and returns rows of figures."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from picows import ws_connect

from .clients import Client, Crowd
from .contenders import Contender
from .frame_codecs import BadFrame
from .load import Load
from .measure import cpu_seconds, memory_bytes

WARM_UP_SECONDS = 1.0
MAX_RUN_SECONDS = 60.0
QUIET_SECONDS = 0.5
# As a part of one core.
QUIET_CPU = 0.1

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
    """Run each shape (`one`, `concurrent-20`, `rate-150`) on one server for `cpu_target` seconds of its CPU."""
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
    """Wait until the work that follows a connect, such as announcing presence, is done: no message pays for it."""
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
    """Memory of an idle authenticated socket, and accepted sockets for each CPU-second."""
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
    """A room of 50, then with one more client that never reads: memory of the server, latency of the others."""
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
    codec = contender.codec
    transport, _ = await ws_connect(
        lambda: client, codec.url(contender.base, token), extra_headers=codec.headers(token)
    )
    await client.ready
    transport.underlying_transport.pause_reading()
    return transport
