"""The MongoClients of this process: one client, with one connection pool, for each set of parameters."""

import os
from threading import Lock
from typing import Any

from pymongo import MongoClient

_clients: dict[str, MongoClient] = {}
_lock = Lock()
_inherited_clients: list[dict[str, MongoClient]] = []


def get_client(parameters: dict[str, Any]) -> MongoClient:
    """Returns the process's client for these MongoClient parameters. Threads may call it at the same time.

    The client connects on first use and stays open.
    """
    key = repr(sorted(parameters.items()))
    client = _clients.get(key)
    if client is None:
        with _lock:
            client = _clients.get(key)
            if client is None:
                client = _clients[key] = MongoClient(**parameters, connect=False)
    return client


def _drop_inherited_clients() -> None:
    """A forked child has its parent's sockets. If both used them, each could read the other's replies."""
    global _lock
    # The reference stays: a garbage-collected client would close what the parent still uses.
    _inherited_clients.append(dict(_clients))
    _clients.clear()
    _lock = Lock()


os.register_at_fork(after_in_child=_drop_inherited_clients)
