"""A server event ties its name to the shape of its data. About ten seconds, for mypy."""

import textwrap
from pathlib import Path

import msgspec
import pytest
from mypy import api as mypy

from realtime.wire.events import Audience, ServerEvent
from realtime.wire.protocol import Wire

pytestmark = pytest.mark.once  # declarations without data


class Came(Wire):
    user_id: str


def test_server_event_when_encoded_then_is_a_frame_of_its_name_and_data() -> None:
    event = ServerEvent("user:came", Came, audience=Audience.PEERS, summary="Somebody came.")
    frame = msgspec.json.decode(event.encode(Came(user_id="u")))
    assert frame == {"event": "user:came", "data": {"userId": "u"}}


def test_server_event_when_encoding_another_struct_then_mypy_refuses(tmp_path: Path) -> None:
    code = """
        from realtime.wire.events import Audience, ServerEvent
        from realtime.wire.protocol import Empty, Wire

        class Came(Wire):
            user_id: str

        CAME = ServerEvent("user:came", Came, audience=Audience.PEERS, summary="Somebody came.")
        CAME.encode(Came(user_id="u"))
        CAME.encode(Empty())
    """
    path = tmp_path / "example.py"
    path.write_text(textwrap.dedent(code))
    options = [
        "--config-file=",
        f"--cache-dir={tmp_path}",
        "--follow-imports=silent",
        "--ignore-missing-imports",
    ]
    (out, _, _), lines = mypy.run([*options, str(path)]), path.read_text().splitlines()
    refused = [line for line in out.splitlines() if ": error:" in line]
    assert len(refused) == 1, out
    assert f"example.py:{lines.index('CAME.encode(Empty())') + 1}" in refused[0]
    assert "[arg-type]" in refused[0]
