"""The audit log: appends entries to a hash chain, and finds places where the chain was changed.

Runs in a database thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from foundation import context, times
from foundation.errors import Unavailable

from .models import AuditEntry

MAX_ATTEMPTS = 20
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """The object of an action, for example `Target("room", room_id, "Lunch")`, with its name at that time."""

    kind: str
    id: UUID
    name: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def record(
    *, actor_id: UUID, actor_name: str, action: str, target: Target, reason: str, outcome: str = "done"
) -> AuditEntry:
    """Append an entry. Raises Unavailable if another entry took the place at each attempt.

    An action that cannot be recorded must not be carried out.
    """
    for _ in range(MAX_ATTEMPTS):
        last = AuditEntry.objects.order_by("-seq").first()
        entry = AuditEntry(
            seq=last.seq + 1 if last else 1,
            at=times.now(),
            actor_id=actor_id,
            actor_name=actor_name,
            action=action,
            outcome=outcome,
            target_kind=target.kind,
            target_id=target.id,
            target_name=target.name[:200],
            reason=reason[:500],
            details=target.details,
            ip=context.client_ip.get() or "",
            request_id=context.request_id.get() or "",
            previous=last.digest if last else "",
        )
        entry.digest = entry.computed_digest()
        try:
            with transaction.atomic():
                entry.save()
        except IntegrityError:
            # Another moderator's entry took this seq. Read the new last entry and try again.
            continue
        return entry
    raise Unavailable("The audit log is busy. Nothing was done; try again.")


def find_breaks() -> Iterator[str]:
    """Yield a description of each place where the chain was changed, for example "entry 2 was changed"."""
    seq, digest = 0, ""
    while entries := list(AuditEntry.objects.filter(seq__gt=seq).order_by("seq")[:BATCH]):
        for entry in entries:
            if entry.seq != seq + 1:
                yield f"entries {seq + 1} to {entry.seq - 1} are missing"
            elif entry.previous != digest:
                yield f"entry {entry.seq} does not follow entry {seq}"
            if entry.computed_digest() != entry.digest:
                yield f"entry {entry.seq} was changed"
            seq, digest = entry.seq, entry.digest
