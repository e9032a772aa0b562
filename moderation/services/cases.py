"""A moderator's order: who gives it and why, and its record in the audit log before it is carried out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

from foundation.database import run_db

from .. import audit
from ..audit import Target

T = TypeVar("T")
Deed = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Case:
    """Who acts, and why."""

    moderator_id: UUID
    moderator_name: str
    is_superuser: bool
    reason: str


async def carry_out(case: Case, action: str, target: Target, deed: Deed[T]) -> T:
    """Record the order, then carry it out; what becomes of a failed one is recorded too."""
    entry = partial(
        audit.record,
        actor_id=case.moderator_id,
        actor_name=case.moderator_name,
        action=action,
        target=target,
        reason=case.reason,
    )
    await run_db(entry)
    try:
        return await deed()
    except Exception:
        await run_db(entry, outcome="failed")
        raise
