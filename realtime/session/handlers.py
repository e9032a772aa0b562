"""EventConsumer, the base class of each app's consumer, and the registry of all events of the socket.

The registry is built from the list of consumers in chatproject/routing.py.
"""

import difflib
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from foundation.errors import UnknownEvent
from realtime import metrics
from realtime.wire.events import Allowed, ServerEvent
from realtime.wire.protocol import Wire

from .connection import Connection

C = TypeVar("C", bound="EventConsumer")
D = TypeVar("D", bound=Wire)
# The field names of another class would go to the wire in Python's spelling.
R = TypeVar("R", bound=Wire | Mapping[str, Wire])
Handler = Callable[[C, D], Awaitable[R]]
ControlHandler = Callable[[C, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventSpec:
    """A client event: its name, the shapes of its data and reply, who may send it, and its handler's first line."""

    event: str
    data: type[Wire]
    reply: Any
    allowed: Allowed
    summary: str
    method: str
    consumer: type["EventConsumer"]


def on(
    event: str, data: type[D], *, reply: type[R], allowed: Allowed
) -> Callable[[Handler[C, D, R]], Handler[C, D, R]]:
    """Have the method handle client event `event`: it gets the decoded `data` and returns the reply.

    `allowed` documents who may send the event, and the authorisation matrix tests that. Services check permissions.
    """

    def mark(method: Handler[C, D, R]) -> Handler[C, D, R]:
        method.chat_event = (event, data, reply, allowed)  # type: ignore[attr-defined]
        return method

    return mark


def on_control(control: str) -> Callable[[ControlHandler[C]], ControlHandler[C]]:
    """Have the method called with the data of each `Hub.send_control(.., control, data)` for its connection."""

    def mark(method: ControlHandler[C]) -> ControlHandler[C]:
        method.chat_control = control  # type: ignore[attr-defined]
        return method

    return mark


class EventConsumer:
    """One app's part of one connection.

    `sends` lists the server events of the app. `connected` runs in the order of the list of consumers, once the
    peer is authenticated, and returns fields of the `ready` frame. `disconnected` runs in the reverse order, also
    when a later `connected` failed, and must not raise.
    """

    sends: tuple[ServerEvent[Any], ...] = ()

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def connected(self) -> dict[str, Any]:
        return {}

    async def disconnected(self) -> None:
        return None


class EventRegistry:
    """The client events, server events and controls of the listed consumers, by name.

    `sends` are the server events that the session itself sends. A name that is declared twice raises ValueError.
    """

    def __init__(
        self, consumers: Sequence[type[EventConsumer]], *, sends: Iterable[ServerEvent[Any]] = ()
    ) -> None:
        self.consumers = tuple(consumers)
        self.server_events: dict[str, ServerEvent[Any]] = {}
        for declared in (*sends, *(event for consumer in self.consumers for event in consumer.sends)):
            _require_new(declared.name, self.server_events)
            self.server_events[declared.name] = declared
        self.events: dict[str, EventSpec] = {}
        self.controls: dict[str, tuple[type[EventConsumer], str]] = {}
        for consumer in self.consumers:
            for name, marked in _marks(consumer, "chat_event").items():
                event, data, reply, allowed = marked
                _require_new(event, self.events)
                summary = (getattr(consumer, name).__doc__ or "").strip().partition("\n")[0]
                if not summary:
                    raise ValueError(
                        f"{event}: {consumer.__name__}.{name} needs a docstring, its documentation."
                    )
                self.events[event] = EventSpec(event, data, reply, allowed, summary, name, consumer)
                # Series from the start: PromQL's `rate` does not count the first increase of a series that
                # appears with it.
                for status in ("internal", "unavailable"):
                    metrics.EVENTS.labels(event, status)
            for name, control in _marks(consumer, "chat_control").items():
                _require_new(control, self.controls)
                self.controls[control] = (consumer, name)

    def find(self, event: str) -> EventSpec:
        """The handler's spec; UnknownEvent suggests the nearest name."""
        spec = self.events.get(event)
        if spec is None:
            near = difflib.get_close_matches(event[:64], self.events, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(self.events)}."
            raise UnknownEvent(f"There is no event {event[:64]!r}. {hint}")
        return spec


def _require_new(name: str, declared: Container[str]) -> None:
    if name in declared:
        raise ValueError(f"{name} is declared twice.")


def _marks(consumer: type[EventConsumer], attribute: str) -> dict[str, Any]:
    """Method name -> mark, for the class and its bases. The mark nearest to the class wins; a method that is
    overridden without a mark keeps the one of its base."""
    return {
        name: getattr(method, attribute)
        for base in reversed(consumer.__mro__)
        for name, method in vars(base).items()
        if hasattr(method, attribute)
    }
