"""100,000 frames of the frame fuzzer: no socket hangs, the server logs no error, and its memory is bounded."""

from collections.abc import Callable

import pytest

from tests.kit.servers import ChatServer

from .frame_fuzz import Run

pytestmark = pytest.mark.once  # tests the wire

MAX_GROWTH_BYTES = 128 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_server_when_sent_odd_frames_then_answers_in_bounded_memory(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(MAX_CONNECTIONS_USER="1000", LOG_LEVEL="WARNING")
    report = await Run(server, server.sign_up(), seed=6).run(100_000)
    assert report["problems"] == []
    assert report["memory grown"] < MAX_GROWTH_BYTES
    assert [record for record in server.log_records() if record.get("level") in ("ERROR", "CRITICAL")] == []
