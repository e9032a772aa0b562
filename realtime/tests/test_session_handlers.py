"""The registry of events and controls, built from the listed consumers."""

import pytest

from realtime.session.handlers import EventConsumer, EventRegistry, on, on_control
from realtime.wire.events import Allowed, Audience, ServerEvent
from realtime.wire.protocol import Empty

CAME = ServerEvent("base:came", Empty, audience=Audience.USER, summary="Somebody came.")
WENT = ServerEvent("base:went", Empty, audience=Audience.USER, summary="Somebody went.")


class Base(EventConsumer):
    sends = (CAME,)

    @on("base:ask", Empty, reply=Empty, allowed=Allowed.ANYONE)
    async def ask(self, data: Empty) -> Empty:
        """Asked of the base."""
        return data

    @on("base:kept", Empty, reply=Empty, allowed=Allowed.ANYONE)
    async def kept(self, data: Empty) -> Empty:
        """Asked of either."""
        return data

    @on_control("base:end")
    async def end(self, data: dict) -> None:
        return None


class Remarked(Base):
    @on("child:ask", Empty, reply=Empty, allowed=Allowed.ANYONE)
    async def ask(self, data: Empty) -> Empty:
        """Asked of the subclass."""
        return data


class Overridden(Base):
    async def ask(self, data: Empty) -> Empty:
        """Answered by the subclass."""
        return data


def test_subclass_when_registered_then_handles_the_events_of_its_base() -> None:
    class Child(Base):
        pass

    registry = EventRegistry([Child])
    assert set(registry.events) == {"base:ask", "base:kept"}
    assert {spec.consumer for spec in registry.events.values()} == {Child}
    assert registry.controls == {"base:end": (Child, "end")}


def test_subclass_when_it_marks_an_override_anew_then_its_own_event_wins() -> None:
    registry = EventRegistry([Remarked])
    assert set(registry.events) == {"child:ask", "base:kept"}
    assert registry.events["child:ask"].summary == "Asked of the subclass."


def test_subclass_when_overriding_without_a_mark_then_handles_the_event() -> None:
    registry = EventRegistry([Overridden])
    spec = registry.events["base:ask"]
    assert (spec.consumer, spec.method, spec.summary) == (Overridden, "ask", "Answered by the subclass.")


def test_registry_when_consumers_send_events_then_lists_them_last() -> None:
    registry = EventRegistry([Base], sends=[WENT])
    assert registry.server_events == {"base:went": WENT, "base:came": CAME}


def test_server_event_when_declared_twice_then_the_registry_refuses() -> None:
    with pytest.raises(ValueError, match="base:came is declared twice"):
        EventRegistry([Base], sends=[CAME])


def test_client_event_when_two_consumers_handle_it_then_is_refused() -> None:
    class Other(EventConsumer):
        @on("base:ask", Empty, reply=Empty, allowed=Allowed.ANYONE)
        async def ask(self, data: Empty) -> Empty:
            """Asked of another."""
            return data

    with pytest.raises(ValueError, match="base:ask is declared twice"):
        EventRegistry([Base, Other])


def test_client_event_when_its_handler_says_nothing_then_is_refused() -> None:
    class Silent(EventConsumer):
        @on("silent:ask", Empty, reply=Empty, allowed=Allowed.ANYONE)
        async def ask(self, data: Empty) -> Empty:
            return data

    with pytest.raises(ValueError, match=r"silent:ask: Silent\.ask needs a docstring"):
        EventRegistry([Silent])


def test_client_event_when_declared_without_allowed_then_raises() -> None:
    with pytest.raises(TypeError, match="allowed"):
        on("base:ask", Empty, reply=Empty)  # type: ignore[call-arg]
