"""2,000 random queries: each gives the same answer as SQLite or raises NotSupportedError."""

import pytest

from . import differential


@pytest.mark.timeout(900)
def test_random_queries_when_run_on_both_databases_then_answers_match(mongo):
    report = differential.run(queries=2000, seed="suite")
    assert report.wrong == []
    assert report.right > 1900, str(report)
