"""The registry of events and controls, built from the listed consumers."""

from realtime.session.handlers import EventConsumer, EventRegistry, on, on_control
from realtime.wire.protocol import Empty


class Base(EventConsumer):
    @on("base:ask", Empty, reply=Empty)
    async def ask(self, data: Empty) -> Empty:
        """Asked of the base."""
        return data

    @on("base:kept", Empty, reply=Empty)
    async def kept(self, data: Empty) -> Empty:
        return data

    @on_control("base:end")
    async def end(self, data: dict) -> None:
        return None


class Remarked(Base):
    @on("child:ask", Empty, reply=Empty)
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
