"""The audit log: appends entries to a chain, and finds places where the chain was changed.

Runs in a database thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from foundation import context, times
from foundation.errors import Unavailable

from . import chain
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
    return record_all(
        actor_id=actor_id,
        actor_name=actor_name,
        action=action,
        targets=[target],
        reason=reason,
        outcome=outcome,
    )[0]


def record_all(
    *,
    actor_id: UUID,
    actor_name: str,
    action: str,
    targets: Sequence[Target],
    reason: str,
    outcome: str = "done",
) -> list[AuditEntry]:
    """Append an entry for each target, in one write. Raises Unavailable; a part may be stored then."""
    entries = [
        AuditEntry(
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
        )
        for target in targets
    ]
    waiting = entries
    for _ in range(MAX_ATTEMPTS):
        waiting = _append(waiting)
        if not waiting:
            return entries
    raise Unavailable("The audit log is busy. Nothing was done; try again.")


def get_head() -> AuditEntry | None:
    """The last entry."""
    return AuditEntry.objects.order_by("-seq").first()


def _append(entries: list[AuditEntry]) -> list[AuditEntry]:
    """Sign and store the entries behind the last one. Returns those that were not stored."""
    last = get_head()
    for entry in entries:
        chain.sign(entry, after=last)
        last = entry
    try:
        with transaction.atomic():
            AuditEntry.objects.bulk_create(entries)
        stored = {entry.pk for entry in entries}
    except IntegrityError:
        # Another moderator's entry took a seq. Without transactions those before it are stored.
        ids = [entry.pk for entry in entries]
        stored = set(AuditEntry.objects.filter(pk__in=ids).values_list("pk", flat=True))
    for entry in entries:
        if entry.pk in stored:
            chain.log_head(entry)
    return [entry for entry in entries if entry.pk not in stored]


def find_breaks(expected: Mapping[int, str] | None = None) -> Iterator[str]:
    """Yield a description of each place where the chain was changed, for example "entry 2 was changed".

    `expected` has digests by seq, as they were written to the log: only they show that entries were removed at the
    end, or that all were replaced by somebody who has the key.
    """
    expected = dict(expected or {})
    seq, digest, key_id = 0, "", ""
    while entries := list(AuditEntry.objects.filter(seq__gt=seq).order_by("seq")[:BATCH]):
        for entry in entries:
            if entry.seq != seq + 1:
                yield f"entries {seq + 1} to {entry.seq - 1} are missing"
            elif entry.previous != digest:
                yield f"entry {entry.seq} does not follow entry {seq}"
            yield from _breaks_of(entry, key_id)
            if expected.pop(entry.seq, entry.digest) != entry.digest:
                yield f"entry {entry.seq} is not the one that was expected"
            seq, digest, key_id = entry.seq, entry.digest, entry.key_id
    if seq and not key_id:
        yield f"entry {seq}, the last one, has no key"
    for missing in sorted(expected):
        yield f"entry {missing} is expected and missing: the log ends with entry {seq}"


def _breaks_of(entry: AuditEntry, previous_key_id: str) -> Iterator[str]:
    """What is wrong with the entry itself. `previous_key_id` is of the entry before."""
    if not entry.key_id:
        if previous_key_id:
            yield f"entry {entry.seq} has no key, and the entry before has one"
        key = None
    elif (key := chain.find_key(entry.key_id)) is None:
        # Once for all entries in a row.
        if entry.key_id != previous_key_id:
            yield f"entry {entry.seq} has the key {entry.key_id}, which is not among those of the settings"
        return
    elif entry.seq > 1 and not previous_key_id and entry.action != chain.SEAL:
        # Only the migration follows entries without a key.
        yield f"entry {entry.seq} has a key, and the entry before has none"
    if chain.digest_of(entry, key) != entry.digest:
        yield f"entry {entry.seq} was changed"
