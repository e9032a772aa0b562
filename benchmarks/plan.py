"""What a run of the benchmarks is asked to measure, and the names of scenarios and shapes."""

from dataclasses import dataclass
from pathlib import Path

SCENARIOS = ("fanout", "send", "latency", "connections", "stuck", "history")
FANOUT_SHAPES = ("one", "rate-150", "concurrent-20")
# The number of sockets of each shape.
SEND_SHAPES = {"concurrent-1": 10, "concurrent-50": 50, "concurrent-500": 500}


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    `cpu_seconds` is the least server CPU of a run. `before` is another checkout of this project to compare with.
    `contenders` are the names of the servers to measure; an empty tuple means all.
    """

    rounds: int
    cpu_seconds: float
    shapes: list[str]
    sockets: int
    messages: list[int]
    databases: list[str]
    before: Path | None = None
    contenders: tuple[str, ...] = ()
