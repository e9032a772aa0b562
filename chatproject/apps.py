"""The composition root as a Django app: declares the stop order, and registers which origins may use REST."""

from django.apps import AppConfig

# Each of these may use those after it: clients' sessions use all of them, and a writer that drains wakes the marks
# and publishes over the hub.
STOP_ORDER = (
    "socket.io",
    "metrics page",
    "readiness",
    "membership reconciler",
    "session reconciler",
    "writer",
    "marks",
    "presence",
    "hub",
    "server clock",
    "rate limiter",
    "redis",
)


class ChatProjectConfig(AppConfig):
    name = "chatproject"

    def ready(self) -> None:
        from foundation import loop

        from . import checks, cors  # noqa: F401  # they register themselves

        loop.declare_stop_order(*STOP_ORDER)
