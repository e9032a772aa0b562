"""Reconcilers: the context they run in."""

import asyncio

from foundation import context, loop
from realtime.hub.reconciler import Reconciler


async def test_reconciler_when_a_connection_starts_it_then_logs_no_user() -> None:
    found: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    class Looking(Reconciler):
        name = "session reconciler"

        async def _run(self) -> None:
            found.set_result(context.log_fields())

    loop.adopt()
    context.user_id.set("of-a-user")
    Looking().start()
    assert await found == {}
    await loop.stop()
