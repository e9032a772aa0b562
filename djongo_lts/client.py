"""The MongoClients of this process: one, with one pool, per set of parameters.
Knows pymongo; must not know Django connections, threads or requests.
"""

import os
from threading import Lock
from typing import Any

from pymongo import MongoClient

_clients: dict[str, MongoClient] = {}
_lock = Lock()
_inherited_clients: list[dict[str, MongoClient]] = []


def get_client(parameters: dict[str, Any]) -> MongoClient:
    """The process's client for these MongoClient parameters; it connects on first use and stays open."""
    key = repr(sorted(parameters.items()))
    client = _clients.get(key)
    if client is None:
        with _lock:
            client = _clients.get(key)
            if client is None:
                client = _clients[key] = MongoClient(**parameters, connect=False)
    return client


def _drop_inherited_clients() -> None:
    """A forked child has its parent's sockets; using one would mix two processes' answers."""
    global _lock
    _inherited_clients.append(
        dict(_clients)
    )  # kept, so that the child does not close what the parent still uses
    _clients.clear()
    _lock = Lock()


os.register_at_fork(after_in_child=_drop_inherited_clients)
