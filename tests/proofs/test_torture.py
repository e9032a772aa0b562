"""A short run of the kill test, about 40 seconds of a core. `make torture ROUNDS=200` runs more of it."""

import pytest

from .torture import torture


@pytest.mark.once  # starts its own databases
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("database", "processes", "rounds"), [("mongodb", 2, 20), ("sqlite", 1, 6)])
def test_chat_when_servers_are_killed_then_loses_and_repeats_nothing(
    database: str, processes: int, rounds: int
) -> None:
    report = torture(rounds=rounds, seed=6, database=database, processes=processes)
    assert report["problems"] == [], report
    assert report["acknowledged"] > 0
    kinds = 3 if database == "sqlite" else 5
    # Every kind of fault was injected equally often.
    assert list(report["faults"].values()) == [rounds // kinds] * kinds
