"""The base of the reconcilers: tasks that compare the sockets of this process with the database after a loss.

An app that gives its sockets something which the database can revoke (a session, a membership) has one.
"""

import asyncio

from foundation import loop

from .hub import get_hub


class Reconciler:
    """Runs from `start`, which may be repeated, until the process's loop stops.

    Subclasses implement `_run`, which waits for `_lost`: the hub sets it when a message of another process was
    lost.
    """

    name: str

    def __init__(self) -> None:
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            get_hub().on_loss(self._lost.set)
            loop.on_stop(self.name, self._stop)
            self._task = loop.spawn(self._run(), name=self.name)

    async def _run(self) -> None:
        raise NotImplementedError

    async def _stop(self) -> None:
        await loop.cancel(self._task)
