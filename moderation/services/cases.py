"""Records an action of a moderator in the audit log, and then carries it out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from foundation.database import run_db
from foundation.security_log import Action, recorded

from .. import audit
from ..audit import Target

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """The moderator who acts, and the reason they gave."""

    moderator_id: UUID
    moderator_name: str
    reason: str


async def carry_out(case: Case, name: str, target: Target, work: Work) -> None:
    """Record the action under its name, for example `lock_room`, and then run it.

    If the record cannot be written (Unavailable), the action does not run. If the action raises, a second record
    with the outcome `failed` is written, and the error is raised on. The security log has how it ended.
    """
    account = target.id if target.kind == "user" else ""
    with recorded(
        Action.STAFF_ACTION, account=account, actor=case.moderator_id, name=name, target=str(target.id)
    ):
        await _carry_out(case, name, target, work)


async def _carry_out(case: Case, name: str, target: Target, work: Work) -> None:
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
        await work()
    except Exception:
        await run_db(record, outcome="failed")
        raise
