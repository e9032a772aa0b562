"""FrameHandler: one answer to each frame, and what the log and the metrics say about it."""

import json
import logging
from typing import Any

import pytest
from django.conf import settings
from prometheus_client import REGISTRY

from foundation import context, times
from foundation.errors import Forbidden
from foundation.ids import uuid7
from realtime.session.connection import Connection, Identity
from realtime.session.frame_handler import FrameHandler
from realtime.session.handlers import EventConsumer, EventRegistry, on
from realtime.wire.close_codes import CloseCode, CloseSocket
from realtime.wire.events import Allowed
from realtime.wire.protocol import Wire
from tests.kit.connections import Peer

pytestmark = pytest.mark.once  # nothing is stored


class Ask(Wire):
    what: str


class Answering(EventConsumer):
    @on("test:ask", Ask, reply=Ask, allowed=Allowed.ANYONE)
    async def ask(self, data: Ask) -> Ask:
        """Ask."""
        match data.what:
            case "forbidden":
                raise Forbidden("Not yours.")
            case "bug":
                raise ZeroDivisionError
            case "close":
                raise CloseSocket(CloseCode.DEACTIVATED)
        return data


class Asked:
    """A handler with a connection in memory."""

    def __init__(self) -> None:
        self.peer = Peer()
        identity = Identity(uuid7(), uuid7(), times.now())
        self.connection = Connection(identity=identity, device_id=None, transport=self.peer)  # type: ignore[arg-type]
        registry = EventRegistry([Answering])
        self.handler = FrameHandler(self.connection, registry, {Answering: Answering(self.connection)})

    async def ask(self, what: str, **envelope: Any) -> list[dict[str, Any]]:
        return await self.send(text=json.dumps({"event": "test:ask", "data": {"what": what}, **envelope}))

    async def send(self, **message: Any) -> list[dict[str, Any]]:
        """The answers to one frame."""
        self.peer.payloads.clear()
        await self.handler.handle({"type": "websocket.receive", **message})
        return [json.loads(payload) for payload in self.peer.payloads]


@pytest.fixture
async def asked() -> Asked:
    return Asked()


def events(event: str, status: str) -> float:
    return REGISTRY.get_sample_value("chat_events_total", {"event": event, "status": status}) or 0.0


async def test_frame_when_it_has_a_ref_then_gets_one_reply(asked: Asked) -> None:
    assert await asked.ask("x", ref=5) == [{"event": "reply", "ref": 5, "data": {"what": "x"}}]
    assert await asked.ask("x") == []
    assert asked.handler.count == 2


async def test_frame_when_its_handler_refuses_then_gets_the_error(asked: Asked) -> None:
    before = events("test:ask", "forbidden")
    (answer,) = await asked.ask("forbidden", ref="a")
    assert (answer["event"], answer["ref"]) == ("error:forbidden", "a")
    assert answer["data"]["requestId"] == f"{asked.connection.id}.1" == context.request_id.get()
    assert events("test:ask", "forbidden") == before + 1


async def test_frame_when_its_handler_has_a_bug_then_gets_internal(
    asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    (answer,) = await asked.ask("bug", ref="a")
    assert (answer["event"], answer["ref"]) == ("error:internal", "a")
    assert "unhandled error in event test:ask" in caplog.messages


async def test_frame_when_its_handler_closes_then_gets_no_answer(asked: Asked) -> None:
    with pytest.raises(CloseSocket):
        await asked.ask("close", ref="a")
    assert asked.peer.payloads == []


async def test_frame_when_it_is_no_envelope_then_its_ref_is_still_found(asked: Asked) -> None:
    (answer,) = await asked.send(text='{"ref": 9}')
    assert (answer["event"], answer["ref"]) == ("error:invalid", 9)


async def test_frame_when_binary_then_is_invalid_and_too_big_closes(asked: Asked) -> None:
    (answer,) = await asked.send(bytes=b'{"event": "test:ask", "ref": 3, "data": "\xff"}')
    assert (answer["event"], answer["ref"]) == ("error:invalid", 3)
    for message in (
        {"bytes": b"x" * (settings.MAX_FRAME_BYTES + 1)},
        {"text": "ü" * settings.MAX_FRAME_BYTES},
    ):
        with pytest.raises(CloseSocket) as closed:
            await asked.send(**message)
        assert closed.value.code is CloseCode.TOO_BIG


async def test_unknown_event_when_logged_then_its_name_is_left_out(
    asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chat.access"):
        await asked.send(text='{"event": "my secret"}')
    (record,) = [record for record in caplog.records if record.name == "chat.access"]
    assert (record.event, record.status) == ("unknown", "unknown_event")  # type: ignore[attr-defined]
    assert "my secret" not in caplog.text
