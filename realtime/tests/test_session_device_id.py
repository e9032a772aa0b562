"""The device id of a handshake."""

import pytest

from realtime.session.device_id import MAX_DEVICE_ID_CHARS, device_id_of

pytestmark = pytest.mark.once  # a query string


@pytest.mark.parametrize(
    ("query", "device_id"),
    [
        (b"deviceId=phone", "phone"),
        (b"deviceId=my%20phone&deviceId=other", "my phone"),
        (b"deviceId=" + b"x" * 100, "x" * MAX_DEVICE_ID_CHARS),
        (b"", None),
        (b"deviceId=", None),
        (b"deviceId=%20", None),
        (b"deviceId=%E3%85%A4", None),
        (b"deviceId=a:b", None),
        (b"deviceId=a%00b", None),
    ],
)
def test_device_id_when_given_then_is_cut_and_checked(query: bytes, device_id: str | None) -> None:
    assert device_id_of({"query_string": query}) == device_id


def test_device_id_when_the_scope_has_no_query_then_is_none() -> None:
    assert device_id_of({}) is None
