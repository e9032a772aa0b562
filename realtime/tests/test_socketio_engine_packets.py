"""Which texts are packets of Engine.IO, and the packets of a POST."""

import pytest

from realtime.socketio.engine_packets import is_engine_text, packets_of

pytestmark = pytest.mark.once  # texts in memory


@pytest.mark.parametrize("text", ["42[]", "1", "2probe", "3", "5", "6"])
def test_engine_text_when_a_client_may_send_it_then_is_accepted(text: str) -> None:
    assert is_engine_text(text)


@pytest.mark.parametrize("text", ["", "0", "x", "4", "4x", "9", "3" + "[" * 20_000])
def test_engine_text_when_the_library_would_raise_then_is_refused(text: str) -> None:
    assert not is_engine_text(text)


def test_body_when_of_packets_then_is_divided() -> None:
    assert packets_of(b"3\x1e42[1]\x1e") == ["3", "42[1]", ""]
    assert packets_of(b"d=42%5B1%5D") == ["42[1]"]
    assert packets_of(b"") == []


@pytest.mark.parametrize("body", [b"42\xff", b"d=", b"d=%ff"])
def test_body_when_not_readable_then_is_no_packet(body: bytes) -> None:
    (packet,) = packets_of(body)
    assert not is_engine_text(packet)
