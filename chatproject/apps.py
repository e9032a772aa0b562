"""The composition root as a Django app: declares the stop order, and registers which origins may use REST."""

from collections import deque
from typing import Any

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
        from django.db.backends.signals import connection_created

        from foundation import loop

        from . import checks, cors  # noqa: F401  # they register themselves

        loop.declare_stop_order(*STOP_ORDER)
        connection_created.connect(_keep_no_queries)


def _keep_no_queries(sender: Any, connection: Any, **kwargs: Any) -> None:
    """With DEBUG, Django keeps the last 9,000 queries of each connection until a request ends.

    Those of our database threads belong to no request.
    """
    from django.conf import settings

    if settings.DEBUG:
        connection.queries_log = deque(maxlen=0)
