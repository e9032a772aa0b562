"""Records an action of a moderator in the audit log, and then carries it out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from foundation.database import run_db

from .. import audit
from ..audit import Target

Action = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """The moderator who acts, and the reason they gave."""

    moderator_id: UUID
    moderator_name: str
    is_superuser: bool
    reason: str


async def carry_out(case: Case, name: str, target: Target, action: Action) -> None:
    """Record the action under its name, for example `lock_room`, and then run it.

    If the record cannot be written (Unavailable), the action does not run. If the action raises, a second record
    with the outcome `failed` is written, and the error is raised on.
    """
    record = partial(
        audit.record,
        actor_id=case.moderator_id,
        actor_name=case.moderator_name,
        action=name,
        target=target,
        reason=case.reason,
    )
    await run_db(record)
    try:
        await action()
    except Exception:
        await run_db(record, outcome="failed")
        raise
