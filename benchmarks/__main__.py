"""`python -m benchmarks fanout send latency connections stuck history`: measures in interleaved rounds.

`make bench ARGS="send --shapes concurrent-50"`. The rows of other scenarios stay in the file. `--report FILE`
measures nothing and writes the tables of a file again. BENCH_BEFORE names another checkout to compare with.
"""

import argparse
import json
import os
import resource
from pathlib import Path

from . import report
from .plan import FANOUT_SHAPES, SCENARIOS, SEND_SHAPES, Plan
from .runner import Runner


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument(
        "--shapes", nargs="+", default=[*FANOUT_SHAPES, *SEND_SHAPES], help="of fanout and send"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=float, default=3.0, help="least server CPU of a run, in seconds")
    parser.add_argument("--sockets", type=int, default=10_000, help="of connections")
    parser.add_argument(
        "--messages", type=int, nargs="+", default=[1_000, 1_000_000], help="in a room's history"
    )
    parser.add_argument(
        "--databases",
        nargs="+",
        default=["SQLite", "MongoDB"],
        help="of history; or DATABASE_URLs of databases that have such rooms",
    )
    parser.add_argument(
        "--contenders", nargs="+", default=[], help="measure only these, such as: ours before"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "latest.json")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    if arguments.report:
        report.write(json.loads(arguments.report.read_text()), arguments.report)
        return
    # Each socket needs a file descriptor at both ends.
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
        before=before_checkout(parser),
        contenders=tuple(arguments.contenders),
    )
    report.write(Runner(plan, arguments.out).run(names), arguments.out)


def before_checkout(parser: argparse.ArgumentParser) -> Path | None:
    """The checkout that BENCH_BEFORE names, if any."""
    if not (named := os.environ.get("BENCH_BEFORE")):
        return None
    checkout = Path(named).resolve()
    for needed in ("manage.py", "benchmarks/seed.py", "benchmarks/apps/hub.py"):
        if not (checkout / needed).is_file():
            parser.error(f"BENCH_BEFORE: {checkout} has no {needed}")
    return checkout


if __name__ == "__main__":
    main()
