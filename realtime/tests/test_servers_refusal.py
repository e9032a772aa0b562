"""The answer to a request that does not reach the application: a whole HTTP answer, and its access record."""

import io
import logging
from http.client import HTTPResponse

import msgspec
import pytest

from foundation.errors import ChatError, Invalid, TooLarge, Unavailable
from realtime.servers.refusal import refusal
from tests.kit.errors import check_error

pytestmark = pytest.mark.once  # bytes in memory


class Peer(io.BytesIO):
    """What HTTPResponse reads as a socket."""

    def makefile(self, mode: str) -> "Peer":
        return self


@pytest.mark.parametrize(
    ("error", "status"),
    [(Invalid("é"), 400), (Unavailable("slow"), 408), (TooLarge("line"), 414), (TooLarge("head"), 431)],
)
def test_refusal_when_sent_then_is_a_whole_answer_that_closes(
    error: ChatError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chat.access"):
        sent = refusal(error, status)
    answer = HTTPResponse(Peer(sent))  # type: ignore[arg-type]
    answer.begin()
    content = answer.read()
    assert (answer.status, answer.will_close, answer.headers["Content-Type"]) == (
        status,
        True,
        "application/json",
    )
    assert sent.endswith(content)
    body = msgspec.json.decode(content)
    check_error(body["error"], error.code)
    assert body["error"]["requestId"] == answer.headers["X-Request-ID"]
    (record,) = caplog.records
    assert (record.status, record.requestId) == (status, answer.headers["X-Request-ID"])  # type: ignore[attr-defined]
