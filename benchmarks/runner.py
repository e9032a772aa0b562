"""Runs scenarios in interleaved rounds, and stores each row as soon as it is measured."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .measure import machine
from .plan import Plan
from .scenarios import Row
from .turns import Turns


class Runner:
    """Measures what `plan` names, into the JSON file `out`."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self._plan = plan
        self._out = out
        self._turns = Turns(plan)

    def run(self, names: list[str]) -> dict[str, Any]:
        """Measure the scenarios `names`. Return their rows, and the rows of other scenarios that `out` had."""
        rows = json.loads(self._out.read_text())["rows"] if self._out.exists() else []
        rows = [row for row in rows if row["scenario"] not in names]
        measured = {"machine": machine(), "rows": rows}
        try:
            self._turns.start()
            for number in range(self._plan.rounds):
                for name in names:
                    for row in self._round(name, number):
                        rows.append(row)
                        print(json.dumps(row), flush=True)
                        self._out.write_text(json.dumps(measured, indent=1) + "\n")
        finally:
            self._turns.stop()
        return measured

    def _round(self, name: str, number: int) -> Iterator[Row]:
        turns = self._turns.of(name)
        # The first contender of one round is the last of the next, so that a trend of the machine hits all alike.
        for turn in turns if number % 2 == 0 else reversed(turns):
            noise, began = os.getloadavg()[0], time.time()
            rows = turn()
            for row in rows:
                yield {"round": number, "load_average": noise, "took": time.time() - began, **row}
