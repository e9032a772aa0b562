"""What moderators do, each deed recorded before it is done, and the reports that members send them.

Keyword-only; know no request, view or admin page. The deeds themselves are services of the apps they concern,
so that every client sees them live. That the caller is a moderator is for the admin's permissions to say.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError

from accounts import selectors as accounts
from accounts import services as account_services
from accounts import sessions
from accounts.models import User
from foundation import times
from foundation.database import run_db
from foundation.errors import Conflict, Forbidden, NotFound
from messaging.models import Message
from messaging.selectors import require_existing
from messaging.services import moderators as message_services
from rooms import moderation as room_moderation
from rooms import selectors as rooms
from rooms.models import Room

from . import audit, selectors
from .audit import Target
from .models import Report

T = TypeVar("T")
Deed = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Case:
    """Who acts, and why."""

    moderator_id: UUID
    moderator_name: str
    is_superuser: bool
    reason: str


# --- users --------------------------------------------------------------------------------------------------


async def deactivate_user(*, case: Case, user_id: UUID) -> None:
    """Lock the account out at once; its sockets close with 4403. Forbidden for oneself, and for superusers by
    those who are none."""
    user = await _require_judged(case, user_id)
    deed = partial(account_services.deactivate_user, user_id=user_id)
    await _do(case, "deactivate_user", _user_target(user), deed)


async def reactivate_user(*, case: Case, user_id: UUID) -> None:
    user = await _require_judged(case, user_id)
    deed = partial(account_services.reactivate_user, user_id=user_id)
    await _do(case, "reactivate_user", _user_target(user), deed)


async def end_user_sessions(*, case: Case, user_id: UUID) -> None:
    """End every login of the user; the sockets close with 4401."""
    user = await run_db(accounts.get_user, user_id=user_id)
    deed = partial(sessions.end_user_sessions, user_id=user_id)
    await _do(case, "end_sessions", _user_target(user), deed)


async def end_session(*, case: Case, user_id: UUID, session_id: UUID) -> None:
    deed = partial(sessions.end_session, user_id=user_id, session_id=session_id)
    await _do(case, "end_session", Target("session", session_id, details={"userId": str(user_id)}), deed)


async def change_account(*, case: Case, user_id: UUID, changes: dict[str, Any]) -> None:
    """Change what the admin's form may: profile and privileges. `changes` maps a field to its new value."""
    user = await run_db(accounts.get_user, user_id=user_id)
    target = Target("user", user_id, user.username, details={name: str(v) for name, v in changes.items()})
    await _do(
        case, "change_account", target, partial(account_services.change_account, user_id=user_id, **changes)
    )


# --- rooms --------------------------------------------------------------------------------------------------


async def lock_room(*, case: Case, room_id: UUID) -> None:
    """Nobody writes in the room until it is unlocked; sends answer `forbidden`."""
    await _on_room(case, "lock_room", room_id, partial(room_moderation.lock_room, room_id=room_id))


async def unlock_room(*, case: Case, room_id: UUID) -> None:
    await _on_room(case, "unlock_room", room_id, partial(room_moderation.unlock_room, room_id=room_id))


async def close_room(*, case: Case, room_id: UUID) -> None:
    """Delete a group: its members lose it at once, its log stays for the moderators."""
    await _on_room(case, "delete_room", room_id, partial(room_moderation.close_room, room_id=room_id))


async def expel_member(*, case: Case, room_id: UUID, user_id: UUID) -> None:
    deed = partial(room_moderation.expel_member, room_id=room_id, user_id=user_id)
    await _on_room(case, "remove_member", room_id, deed, details={"userId": str(user_id)})


async def set_retention(*, case: Case, room_id: UUID, days: int | None) -> None:
    deed = partial(room_moderation.set_retention, room_id=room_id, days=days)
    await _on_room(case, "set_retention", room_id, deed, details={"days": days})


# --- messages and reports -----------------------------------------------------------------------------------


async def remove_message(*, case: Case, message_id: UUID) -> None:
    """Make a message a tombstone for everybody, and resolve the reports of it."""
    message = await run_db(_get_message, message_id)
    details = {"roomId": str(message.room_id), "seq": message.seq, "authorId": str(message.sender_id)}
    target = Target("message", message_id, f"{message.room} #{message.seq}", details)
    deed = partial(
        message_services.remove_message,
        message_id=message_id,
        moderator_id=case.moderator_id,
        reason=case.reason,
    )
    await _do(case, "remove_message", target, deed)
    await run_db(_resolve, case, {"message_id": message_id}, Report.Resolution.REMOVED)


async def report_message(*, room_id: UUID, message_id: UUID, reporter_id: UUID, reason: str) -> Report:
    """Tell the moderators of a message, as a member of its room. Conflict for a second report of the same."""
    return await run_db(_report, room_id, message_id, reporter_id, reason)


def _report(room_id: UUID, message_id: UUID, reporter_id: UUID, reason: str) -> Report:
    room = rooms.require_member(room_id=room_id, user_id=reporter_id).room
    message = require_existing(room=room, message_id=message_id)
    try:
        return Report.objects.create(
            message_id=message_id,
            room=room,
            author_id=message.sender_id,
            reporter_id=reporter_id,
            seq=message.seq,
            version=message.version,
            content=message.content,
            reason=reason,
        )
    except IntegrityError:
        raise Conflict("You have reported this message already.") from None


async def dismiss_report(*, case: Case, report_id: UUID) -> None:
    """Close a report without doing anything about the message. Conflict for one that is closed."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    await _do(case, "dismiss_report", _report_target(report), _resolving(case, report, "DISMISSED"))


async def remove_reported(*, case: Case, report_id: UUID) -> None:
    """Remove the reported message; that resolves every open report of it."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    try:
        await remove_message(case=case, message_id=report.message_id)
    except NotFound:  # its author was faster
        await _do(case, "resolve_report", _report_target(report), _resolving(case, report, "REMOVED"))


async def deactivate_reported(*, case: Case, report_id: UUID) -> None:
    """Deactivate the author of the reported message, and remove the message."""
    report = await run_db(selectors.get_open_report, report_id=report_id)
    await deactivate_user(case=case, user_id=report.author_id)
    await remove_reported(case=case, report_id=report_id)
    await run_db(Report.objects.filter(pk=report_id).update, resolution=Report.Resolution.DEACTIVATED)


# --- inside -------------------------------------------------------------------------------------------------


async def _do(case: Case, action: str, target: Target, deed: Deed[T]) -> T:
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


async def _on_room(
    case: Case, action: str, room_id: UUID, deed: Deed[Any], details: dict[str, Any] | None = None
) -> None:
    room = await run_db(rooms.get_room, room_id=room_id)
    await _do(case, action, Target("room", room_id, _room_name(room), details or {}), deed)


async def _require_judged(case: Case, user_id: UUID) -> User:
    user = await run_db(accounts.get_user, user_id=user_id)
    if user.pk == case.moderator_id:
        raise Forbidden("You cannot do this to your own account.")
    if user.is_superuser and not case.is_superuser:
        raise Forbidden("Only a superuser may do this to a superuser.")
    return user


def _get_message(message_id: UUID) -> Message:
    message = Message.objects.select_related("room").filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message; it may have been archived.")
    return message


def _resolving(case: Case, report: Report, resolution: str) -> Deed[int]:
    return partial(run_db, _resolve, case, {"pk": report.pk}, Report.Resolution[resolution])


def _resolve(case: Case, which: dict[str, Any], resolution: Report.Resolution) -> int:
    return Report.objects.filter(**which, resolved_at__isnull=True).update(
        resolved_at=times.now(), resolved_by_id=case.moderator_id, resolution=resolution, note=case.reason
    )


def _user_target(user: User) -> Target:
    return Target("user", user.pk, user.username)


def _report_target(report: Report) -> Target:
    return Target("report", report.pk, str(report), {"messageId": str(report.message_id)})


def _room_name(room: Room) -> str:
    return str(room)
