"""Leases and the rules about them, and the values that the store takes and returns. Callers pass the time in."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Socket(NamedTuple):
    """A socket with its user. `member` is its name in Redis, for example `phone:01900000-…`."""

    user_id: UUID
    device_id: str
    connection_id: str

    @property
    def member(self) -> str:
        return f"{self.device_id}:{self.connection_id}"


class Acquired(NamedTuple):
    """`sockets` counts the user's leases. `came_online`: the user had none before. `replaced` is the connection, of
    the same device, that has lost its lease to this one."""

    at: datetime
    sockets: int
    came_online: bool
    replaced: str | None


class Renewed(NamedTuple):
    """`was_missing`: the user was announced offline, or Redis had lost them. `sockets` counts the user's leases."""

    at: datetime
    was_missing: bool
    sockets: int


class Release(NamedTuple):
    """A lease to release; `age_seconds` is the time since the socket closed.

    If Redis has lost the user, they are put back for `restore_seconds`, so that a sweep announces them
    (release.lua). It is 0 if the user may already be announced offline.
    """

    socket: Socket
    grace_seconds: float
    age_seconds: float
    restore_seconds: float


class Ended(NamedTuple):
    """A user whose last lease has ended."""

    user_id: UUID
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A user came online, or went offline and was last seen, `at` a time of Redis' clock."""

    user_id: UUID
    online: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Swept:
    """The users taken by a sweep, and the time until the next lease ends, if there is one."""

    ended: list[Ended]
    next_seconds: float | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """The same in all processes of a deployment. A lease has to last more than twice as long as `renew_seconds`."""

    lease_seconds: float
    renew_seconds: float
    grace_seconds: float
    sweep_seconds: float = 2.0
    retry_seconds: float = 1.0


@dataclass(slots=True, eq=False)
class Lease:
    """`held_until` is the end of the lease on this process's clock; None until Redis has confirmed it.

    `replaced` is the connection that has lost its lease to this one, and has to be closed.
    """

    socket: Socket
    held_until: float | None = None
    replaced: str | None = None

    def came_online(self, found: Renewed, *, answered_at: float) -> bool:
        """Whether the user has to be announced as online after a renewal with the answer `found`."""
        if self.held_until is None:
            # Redis may have taken the lease in a call whose answer was lost.
            return found.was_missing or found.sockets == 1
        # Missing before its end means lost by Redis, and nothing was announced. Missing after it means swept.
        return found.was_missing and answered_at >= self.held_until


@dataclass(slots=True)
class PendingRelease:
    """A lease of a socket that closed `at` a time of this process's clock.

    `attempted`: the release was sent and not answered, so Redis is or was away.
    """

    lease: Lease
    at: float
    attempted: bool = False

    def as_release(self, intervals: Intervals, now: float) -> Release:
        """The release to send `now`.

        After an outage the user stays online for a lease instead of the grace, so that other processes with sockets
        of the user can renew first.
        """
        held_until = self.lease.held_until
        may_be_lost = held_until is not None and (self.attempted or now < held_until)
        return Release(
            self.lease.socket,
            grace_seconds=intervals.lease_seconds if self.attempted else intervals.grace_seconds,
            age_seconds=max(0.0, now - self.at),
            restore_seconds=intervals.lease_seconds if may_be_lost else 0.0,
        )
