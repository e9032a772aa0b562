"""Server events outside the registry. About a second."""

import pytest

from chatproject.checks import server_events
from messaging import events, services
from realtime.wire.events import Audience, ServerEvent

pytestmark = pytest.mark.once  # declarations without data


def test_server_events_when_all_are_listed_then_have_no_error() -> None:
    assert list(server_events(None)) == []


@pytest.mark.parametrize("name", ["message:pinned", "message:receive"])
def test_server_event_when_no_consumer_lists_it_then_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    event = ServerEvent(name, events.MessageData, audience=Audience.MEMBERS, summary="A message was pinned.")
    monkeypatch.setattr(events, "MESSAGE_PINNED", event, raising=False)
    monkeypatch.setattr(services, "MESSAGE_PINNED", event, raising=False)
    (error,) = server_events(None)
    assert error.id == "chat.E016"
    assert error.msg.startswith(f"messaging.events.MESSAGE_PINNED declares '{name}'")
