"""The limits on the head of a request, at their edges."""

import pytest

from realtime.servers.head import MAX_HEAD_BYTES, MAX_HEADERS, MAX_LINE_BYTES, Headers, refused_head

pytestmark = pytest.mark.once  # headers in memory

TARGET = b"/ws/chat/"


def status(target: bytes, headers: Headers, *, is_handshake: bool = False) -> int | None:
    refused = refused_head(target, headers, is_handshake=is_handshake)
    return refused[1] if refused else None


@pytest.mark.parametrize("is_handshake", [False, True])
def test_target_when_longer_than_a_line_then_is_414(is_handshake: bool) -> None:
    host = [(b"host", b"localhost")]
    assert status(b"/" * MAX_LINE_BYTES, host, is_handshake=is_handshake) is None
    assert status(b"/" * (MAX_LINE_BYTES + 1), host, is_handshake=is_handshake) == 414


def test_headers_when_too_many_then_is_431() -> None:
    assert status(TARGET, [(b"x", b"y")] * MAX_HEADERS) is None
    assert status(TARGET, [(b"x", b"y")] * (MAX_HEADERS + 1)) == 431
    assert status(TARGET, []) is None


def test_headers_when_too_large_together_then_is_431() -> None:
    line = (b"x" * 24, b"y" * 1000)
    count = MAX_HEAD_BYTES // 1024
    assert status(TARGET, [line] * count) is None
    assert status(TARGET, [*[line] * count, (b"x", b"")]) == 431


def test_header_when_longer_than_a_line_then_only_a_handshake_is_431() -> None:
    fits, too_long = [(b"x", b"y" * (MAX_LINE_BYTES - 1))], [(b"x", b"y" * MAX_LINE_BYTES)]
    assert status(TARGET, fits, is_handshake=True) is None
    assert status(TARGET, too_long, is_handshake=True) == 431
    assert status(TARGET, too_long) is None
