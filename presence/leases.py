"""Leases, and the shapes of what the store is asked and answers. Must not know Redis, nor read a clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Socket(NamedTuple):
    """A socket as its lease names it."""

    user_id: UUID
    device_id: str
    connection_id: str

    @property
    def member(self) -> str:
        return f"{self.device_id}:{self.connection_id}"


class Acquired(NamedTuple):
    at: datetime
    sockets: int
    came_online: bool


class Renewed(NamedTuple):
    """`was_gone`: the user was not online any more, taken by a sweep or lost by Redis."""

    at: datetime
    was_gone: bool
    sockets: int


class Release(NamedTuple):
    """A lease to give back. `restore_seconds` as in release.lua: 0 where the user may rightly be gone."""

    socket: Socket
    grace_seconds: float
    age_seconds: float
    restore_seconds: float


class Ended(NamedTuple):
    user_id: UUID
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A user came online at a moment of Redis time, or is offline and was last seen at it."""

    user_id: UUID
    online: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Swept:
    ended: list[Ended]
    next_seconds: float | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """`renew` has to fit into `lease` more than twice; the same in all processes of a deployment."""

    lease_seconds: float
    renew_seconds: float
    grace_seconds: float
    sweep_seconds: float = 2.0
    retry_seconds: float = 1.0


@dataclass(slots=True, eq=False)
class Lease:
    """`held_until` is its end on this process's clock, None until Redis has once confirmed it."""

    socket: Socket
    held_until: float | None = None

    def made_online(self, found: Renewed, *, answered_at: float) -> bool:
        """Whether a renewal that found this has to be told as coming online."""
        if self.held_until is None:
            # It may have been taken by a call whose answer did not come.
            return found.was_gone or found.sockets == 1
        # Gone before its end, it was lost by Redis and nobody was told; after it, a sweep has taken it.
        return found.was_gone and answered_at >= self.held_until


@dataclass(slots=True)
class Leaving:
    """A lease to give back since `at`, on this process's clock; `tried` once Redis did not answer."""

    lease: Lease
    at: float
    tried: bool = False

    def as_release(self, intervals: Intervals, now: float) -> Release:
        """After an outage the user stays for a whole lease: their sockets elsewhere can renew first."""
        held_until = self.lease.held_until
        may_be_lost = held_until is not None and (self.tried or now < held_until)
        return Release(
            self.lease.socket,
            grace_seconds=intervals.lease_seconds if self.tried else intervals.grace_seconds,
            age_seconds=max(0.0, now - self.at),
            restore_seconds=intervals.lease_seconds if may_be_lost else 0.0,
        )
