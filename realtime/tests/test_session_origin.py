"""AllowedOrigins: the origins of web pages that may open a socket."""

import pytest

from realtime.session.origin import AllowedOrigins

pytestmark = pytest.mark.once  # headers

ALLOWED = AllowedOrigins(None, ["https://chat.example", "https://.partner.example"])


def allows(origin: bytes | None, host: bytes = b"server.example:8000") -> bool:
    headers = [(b"host", host)] + ([(b"origin", origin)] if origin is not None else [])
    return ALLOWED.allows({"headers": headers})


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"http://server.example:8000",
        b"https://server.example:8000",
        b"https://chat.example",
        b"https://a.partner.example",
    ],
)
def test_origin_when_own_listed_or_absent_then_is_allowed(origin: bytes | None) -> None:
    assert allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"null",
        b"http://server.example",
        b"http://chat.example",
        b"https://chat.example.evil.example",
        b"http://[",
        b"\xff",
        b"file://",
    ],
)
def test_origin_when_anything_else_then_is_refused(origin: bytes) -> None:
    assert not allows(origin)
