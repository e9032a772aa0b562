"""Keeps at least one superuser: without any, nobody could give rights again but in a shell of the server."""

from collections.abc import Callable
from typing import Any

from foundation.errors import Conflict

from .models import User

LAST = "This is the last superuser. Make another one first."
# Who has all three may enter the desk and give rights.
RIGHTS = ("is_active", "is_staff", "is_superuser")


def keep_one_superuser(user: User, changes: dict[str, Any], write: Callable[[], int]) -> int:
    """Run `write`, which makes these changes to the user's columns, unless it would remove the last superuser.

    Returns what `write` returns, the number of changed rows. Raises Conflict and leaves the rights as they were if
    no superuser would be left, also where two remove each other at the same moment.
    """
    rights = {name: getattr(user, name) for name in RIGHTS}
    if not all(rights.values()) or all(changes.get(name, True) for name in RIGHTS):
        return write()
    if not _superusers().exclude(pk=user.pk).exists():
        raise Conflict(LAST)
    written = write()
    # Each of two that remove each other looks after its own write, so at least the later one sees that nobody is
    # left. A transaction would not help: each would see the other as it was (and MongoDB may have none).
    if written and not _superusers().exists():
        User.objects.filter(pk=user.pk).update(**rights)
        raise Conflict(LAST)
    return written


def _superusers() -> Any:
    return User.objects.filter(**dict.fromkeys(RIGHTS, True))
