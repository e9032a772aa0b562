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

    for module in _our_modules():
        for name, value in vars(module).items():
            if isinstance(value, ServerEvent) and registry.server_events.get(value.name) is not value:
                yield Error(
                    f"{module.__name__}.{name} declares {value.name!r}, which no consumer lists in `sends`.",
                    hint="Add it to `sends` of its app's consumer, or remove it.",
                    id="chat.E016",
                )


def _our_modules() -> list[ModuleType]:
    """The imported modules of the apps in this project, without their tests."""
    ours = tuple(f"{config.name}." for config in apps.get_app_configs())
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith(ours) and ".tests" not in name
    ]
