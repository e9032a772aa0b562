"""`python -m benchmarks fanout send latency connections stuck history`: interleaved rounds into a JSON file.

`make bench ARGS="send --shapes concurrent-50"`; `--rounds`, `--cpu` (server CPU-seconds a run), `--out` as needed.
What was measured of other scenarios stays in the file; `--report FILE` only shows it again.
"""

import argparse
import json
import resource
from pathlib import Path

from . import report
from .runner import FANOUT_SHAPES, SCENARIOS, SEND_SHAPES, Plan, Runner


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument(
        "--shapes", nargs="+", default=[*FANOUT_SHAPES, *SEND_SHAPES], help="of fanout and send"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=float, default=3.0, help="server CPU-seconds of a run, at least")
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument(
        "--messages", type=int, nargs="+", default=[1_000, 1_000_000], help="in a room's history"
    )
    parser.add_argument(
        "--databases",
        nargs="+",
        default=["SQLite", "MongoDB"],
        help="of history; or the DATABASE_URLs of filled ones",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "latest.json")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    if arguments.report:
        report.write(json.loads(arguments.report.read_text()), arguments.report)
        return
    # Each socket is a file at both ends.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    names = arguments.scenarios or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    plan = Plan(
        rounds=arguments.rounds,
        cpu_seconds=arguments.cpu,
        shapes=arguments.shapes,
        sockets=arguments.sockets,
        messages=arguments.messages,
        databases=arguments.databases,
    )
    report.write(Runner(plan, arguments.out).run(names), arguments.out)


if __name__ == "__main__":
    main()
