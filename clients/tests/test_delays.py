"""The Python client's delays between attempts."""

import pytest

from chat_client.delays import backoff_seconds

pytestmark = pytest.mark.once  # nothing here uses the database


@pytest.mark.parametrize(("attempt", "most"), [(0, 0.5), (1, 1.0), (5, 16.0), (6, 30.0), (100_000, 30.0)])
def test_backoff_when_attempts_grow_then_stays_in_its_bounds(attempt: int, most: float) -> None:
    assert all(0 <= backoff_seconds(attempt) <= most for _ in range(100))
