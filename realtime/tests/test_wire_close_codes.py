"""The close codes are those of the contract."""

import re

import pytest

from realtime.wire.close_codes import CloseCode, CloseSocket
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # a document


def test_close_codes_when_compared_with_the_protocol_then_are_all_in_it() -> None:
    protocol = (ROOT / "docs" / "protocol.md").read_text()
    documented = {int(code) for code in re.findall(r"^\| `?(\d{4})`? \|", protocol, re.M)}
    assert documented
    assert {int(code) for code in CloseCode} - {CloseCode.NORMAL} <= documented


def test_close_socket_when_raised_then_has_its_code_and_reason() -> None:
    error = CloseSocket(CloseCode.LIMITED, "too many")
    assert (error.code, error.reason, str(error)) == (4429, "too many", "4429 too many")
