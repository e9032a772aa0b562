"""Records changes of groups: who changes the permissions of a group changes those of all its members."""

from typing import Any
from uuid import UUID

from foundation.security_log import Action, Outcome
from foundation.security_log import record as record_event

from .. import audit
from ..audit import Target
from .cases import Case


def record_group(*, case: Case, action: str, group_id: int, name: str, details: dict[str, Any]) -> None:
    """Append an entry in the transaction of the caller, a page of Django's admin. Runs in a database thread."""
    audit.record(
        actor_id=case.moderator_id,
        actor_name=case.moderator_name,
        action=action,
        # Groups are of Django and have numbers.
        target=Target("group", UUID(int=group_id), name, details),
        reason=case.reason,
    )
    record_event(Action.ROLE_CHANGE, outcome=Outcome.OK, actor=case.moderator_id, group=group_id, name=action)
