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


def test_declarations_when_code_differs_then_mypy_refuses(tmp_path: Path) -> None:
    code = """
        from realtime.session.handlers import EventConsumer, on
        from realtime.wire.events import Allowed, Audience, ServerEvent
        from realtime.wire.protocol import Empty, Wire

        class Came(Wire):
            user_id: str

        CAME = ServerEvent("user:came", Came, audience=Audience.PEERS, summary="Somebody came.")
        CAME.encode(Came(user_id="u"))
        CAME.encode(Empty())  # refused

        class Consumer(EventConsumer):
            @on("ask", Empty, reply=Came, allowed=Allowed.ANYONE)
            async def ask(self, data: Empty) -> Came:
                return Came(user_id="u")

            @on("ask:data", Came, reply=Came, allowed=Allowed.ANYONE)  # refused
            async def ask_data(self, data: Empty) -> Came:
                return Came(user_id="u")

            @on("ask:reply", Empty, reply=Came, allowed=Allowed.ANYONE)  # refused
            async def ask_reply(self, data: Empty) -> Empty:
                return data

            @on("ask:anyone", Empty, reply=Empty)  # refused
            async def ask_anyone(self, data: Empty) -> Empty:
                return data
    """
    path = tmp_path / "example.py"
    path.write_text(textwrap.dedent(code))
    options = [
        "--config-file=",
        f"--cache-dir={tmp_path}",
        "--follow-imports=silent",
        "--ignore-missing-imports",
    ]
    out, _, _ = mypy.run([*options, str(path)])
    refused = {
        int(line.split(":")[1]) for line in out.splitlines() if ": error:" in line and "[import" not in line
    }
    marked = [number for number, line in enumerate(path.read_text().splitlines(), 1) if "# refused" in line]
    assert sorted(refused) == marked, out
