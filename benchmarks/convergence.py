"""How long the chat takes to recover from a fault of one part.

`python -m benchmarks.convergence [crash vanish redis database kick logout] --runs 10` prints a table of medians.
The faults are in `recoveries.py` and `restarts.py`.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable

from . import recoveries, restarts

# In seconds; docs/operations.md promises them.
BOUNDS = {"crash": 25.0, "vanish": 40.0, "redis": 5.0, "database": 5.0, "kick": 1.0, "logout": 1.0}
TITLES = {
    "crash": "kill -9 of a process, until its user is announced offline",
    "vanish": "peer that vanished without closing, until announced offline",
    "redis": "Redis killed and restarted, until both processes deliver to each other",
    "database": "database killed and restarted, until both store and deliver",
    "kick": "member removed, until the socket in the other process gets the event",
    "logout": "logout, until the socket in the other process is closed",
}

MEASURES: dict[str, Callable[[int], Awaitable[list[float]]]] = {
    "crash": recoveries.crash,
    "vanish": recoveries.vanish,
    "redis": restarts.redis,
    "database": restarts.database,
    "kick": recoveries.kick,
    "logout": recoveries.logout,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", nargs="*", help=f"{', '.join(MEASURES)}; default: all")
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    print("| fault | bound | median | min | max | runs |\n|---|---|---|---|---|---|", flush=True)
    for name in arguments.measures or MEASURES:
        taken = asyncio.run(_run(MEASURES[name], arguments.runs))
        figures = " | ".join(
            f"{figure:.2f} s" for figure in (statistics.median(taken), min(taken), max(taken))
        )
        print(f"| {TITLES[name]} | {BOUNDS[name]:.0f} s | {figures} | {len(taken)} |", flush=True)


async def _run(measure: Callable[[int], Awaitable[list[float]]], runs: int) -> list[float]:
    return await measure(runs)


if __name__ == "__main__":
    main()
