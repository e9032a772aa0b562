"""The kill test, short: `make torture ROUNDS=200` runs it for as long as one likes. About 40 seconds of a core."""

import pytest

from .torture import torture


@pytest.mark.once  # it brings databases of its own
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
    assert list(report["faults"].values()) == [rounds // kinds] * kinds  # every kind as often as any other
