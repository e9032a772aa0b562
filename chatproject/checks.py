"""`manage.py check`: every server event that the code declares is in the registry of events."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register

from realtime.wire.events import ServerEvent


@register
def server_events(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """An event outside the registry would be sent without documents, types and tests."""
    from .routing import registry

    listed = set(map(id, registry.server_events.values()))
    for name, event in _declared():
        if id(event) not in listed:
            yield Error(
                f"{name} declares {event.name!r}, which no consumer lists in `sends`.",
                hint="Add it to `sends` of its app's consumer, or remove it.",
                id="chat.E016",
            )


def _declared() -> Iterator[tuple[str, ServerEvent[Any]]]:
    """Each server event once, with the name it has in its app's `events` module, if it is there."""
    found = set()
    for module in sorted(_our_modules(), key=lambda module: not module.__name__.endswith(".events")):
        for name, value in vars(module).items():
            if isinstance(value, ServerEvent) and id(value) not in found:
                found.add(id(value))
                yield f"{module.__name__}.{name}", value


def _our_modules() -> list[ModuleType]:
    """The imported modules of the apps in this project, without their tests."""
    ours = tuple(f"{config.name}." for config in apps.get_app_configs())
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith(ours) and ".tests" not in name
    ]
