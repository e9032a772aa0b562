"""What other apps do when an account is deactivated or reactivated. Accounts may not import them, so they register.

They register when Django starts, in every process, so commands and shells do the same as servers.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

Listener = Callable[[UUID], Awaitable[None]]

_listeners: list[Listener] = []


def on_activity_changed(listener: Listener) -> None:
    """Have `listener` called with the id of each user who was deactivated or reactivated."""
    _listeners.append(listener)


async def activity_changed(user_id: UUID) -> None:
    """Call the listeners, after the write. They raise what they raise; a repeat of the service repeats them."""
    for listener in _listeners:
        await listener(user_id)
