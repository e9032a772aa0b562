"""Records come before actions."""

from uuid import UUID

import pytest

from foundation.database import run_db
from foundation.errors import NotFound, Unavailable
from foundation.ids import uuid7
from moderation import audit
from moderation.audit import Target
from moderation.models import AuditEntry
from moderation.services import Case
from moderation.services.cases import carry_out


def outcomes(target_id: UUID) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(target_id=target_id).order_by("seq")
    return [(entry.action, entry.outcome) for entry in entries]


async def test_carry_out_when_the_action_runs_then_it_is_recorded_before(case: Case) -> None:
    target = Target("room", uuid7())
    seen: list[list[tuple[str, str]]] = []

    async def action() -> None:
        seen.append(await run_db(outcomes, target.id))

    await carry_out(case, "lock_room", target, action)
    assert seen == [[("lock_room", "done")]]
    assert await run_db(outcomes, target.id) == seen[0]


async def test_carry_out_when_the_action_raises_then_failed_is_recorded(case: Case) -> None:
    target = Target("room", uuid7())

    async def action() -> None:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        await carry_out(case, "lock_room", target, action)
    assert await run_db(outcomes, target.id) == [("lock_room", "done"), ("lock_room", "failed")]


async def test_carry_out_when_no_record_is_written_then_nothing_runs(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[bool] = []

    async def action() -> None:
        ran.append(True)

    monkeypatch.setattr(audit, "MAX_ATTEMPTS", 0)
    with pytest.raises(Unavailable):
        await carry_out(case, "lock_room", Target("room", uuid7()), action)
    assert ran == []
