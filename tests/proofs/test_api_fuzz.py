"""A short run of the REST fuzzer. `make fuzz-api EXAMPLES=100` runs more of it."""

import pytest

from tests.kit.servers import ChatServer

from .api_fuzz import fuzz_api


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_requests_when_made_from_the_schema_then_answers_are_documented(server: ChatServer) -> None:
    passed, report = fuzz_api(server, examples=3, seed=6, phases="fuzzing")
    assert passed, report
