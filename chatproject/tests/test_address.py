"""Address: how one is read and shown."""

import pytest

from chatproject.address import Address
from tests.kit.processes import free_port

pytestmark = pytest.mark.once  # no data


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("127.0.0.1:9100", ("127.0.0.1", 9100), "127.0.0.1:9100"),
        ("[::1]:9100", ("::1", 9100), "[::1]:9100"),
        ("[::]:9100", ("::", 9100), "[::1]:9100"),
        (":9100", ("0.0.0.0", 9100), "127.0.0.1:9100"),
        ("metrics.local:9100", ("metrics.local", 9100), "metrics.local:9100"),
    ],
)
def test_address_when_read_then_is_shown_as_one_opens_it(
    text: str, address: tuple[str, int], shown: str
) -> None:
    read = Address.parse(text)
    assert read == address
    assert read.shown == shown


def test_address_when_empty_then_there_is_none() -> None:
    assert Address.parse("") is None


@pytest.mark.parametrize("text", ["9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a:b"])
def test_address_when_it_has_no_port_then_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        Address.parse(text)


def test_address_when_somebody_listens_there_then_cannot_be_taken() -> None:
    address = Address("127.0.0.1", free_port())
    with address.listen(), pytest.raises(OSError, match="in use"):
        address.listen()
