"""Rules of reports and of the audit log."""

from collections.abc import Iterator
from typing import Any

from accounts.models import User
from messaging.models import Message
from moderation import audit
from moderation.models import AuditEntry, Report
from rooms.models import Room

from .paging import pages
from .references import missing
from .rules import Options, Violation, rule

REPORT_MESSAGE = rule(
    "report_message",
    "A report names the room, seq and author of its message, and a version that it had; or that is archived.",
)
REPORT_STATE = rule(
    "report_state", "A report says who resolved it, when and how, or nothing of that while it is open."
)
AUDIT_CHAIN = rule("audit_chain", "The audit log is unchanged (`verify_audit`).")
AUDIT_TARGET = rule("audit_target", "The audit log names rooms, users and reports that exist.")

STATE = ("resolved_at", "resolved_by_id", "resolution")
TARGETS = {"user": User, "room": Room, "report": Report}


def check_moderation(options: Options) -> Iterator[Violation]:
    for page in pages(
        Report.objects.all(), "pk", "message_id", "room_id", "seq", "author_id", "version", *STATE
    ):
        yield from _check_messages([row[:6] for row in page])
        for row in page:
            if len({bool(value) for value in row[6:]}) > 1:
                yield REPORT_STATE.broken(f"report {row[0]}: is resolved in a part of its columns only")
    for entries in pages(AuditEntry.objects.all(), "pk", "target_kind", "target_id", "seq"):
        yield from _check_targets(entries)
    for description in audit.find_breaks():
        yield AUDIT_CHAIN.broken(description)


def _check_messages(reports: list[tuple[Any, ...]]) -> Iterator[Violation]:
    messages = Message.objects.filter(pk__in={row[1] for row in reports}).order_by()
    columns = ("pk", "room_id", "seq", "sender_id", "version")
    found = {pk: parts for pk, *parts in messages.values_list(*columns)}
    # Read after the messages: rows are removed only after this has moved up.
    rooms = Room.objects.filter(pk__in={row[2] for row in reports}).order_by()
    firsts = dict(rooms.values_list("pk", "first_seq"))
    for pk, message_id, *parts, version in reports:
        message = found.get(message_id)
        if message is None:
            room_id, seq, _ = parts
            # A room that does not exist is named by the rule of the foreign key.
            agrees = seq >= 1 and seq < firsts.get(room_id, seq + 1)
        else:
            agrees = message[:3] == parts and 1 <= version <= message[3]
        if not agrees:
            yield REPORT_MESSAGE.broken(f"report {pk}: does not agree with message {message_id}")


def _check_targets(entries: list[tuple[Any, ...]]) -> Iterator[Violation]:
    for kind, model in TARGETS.items():
        absent = missing(model, {target_id for _, of, target_id, _ in entries if of == kind})
        for _, of, target_id, seq in entries:
            if of == kind and target_id in absent:
                yield AUDIT_TARGET.broken(f"audit entry {seq}: there is no {kind} {target_id}")
