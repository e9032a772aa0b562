"""Audits: tasks of a process that compare what its sockets are given with the database, where something was lost.

Knows the hub; must not know what is compared.
"""

import asyncio

from foundation import loop

from .hub import get_hub


class Audit:
    """Runs from `start`, which is safe to repeat, until the process's loop stops; `_run` waits for `_lost`."""

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
