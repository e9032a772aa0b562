"""Two thousand random queries: the same answer as SQLite's, or a refusal."""

import pytest

from . import differential


@pytest.mark.timeout(900)
def test_random_queries_when_run_on_both_databases_then_no_answer_differs(mongo):
    report = differential.run(queries=2000, seed="suite")
    assert report.wrong == []
    assert report.right > 1900, str(report)
