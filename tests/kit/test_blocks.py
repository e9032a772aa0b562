"""Running the code blocks of the documents."""

import sys

import pytest

from tests.kit.blocks import run

pytestmark = pytest.mark.once  # no database


def test_run_when_a_command_prints_bytes_then_escapes_what_is_not_text() -> None:
    program = r"import sys; sys.stdout.buffer.write(b'h\xc3\xa9llo \x82\xff')"
    assert run(sys.executable, "-c", program) == r"héllo \x82\xff"
