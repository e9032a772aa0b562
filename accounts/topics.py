"""The addresses by which the hub finds the connections of a user or a session."""

from uuid import UUID


def user_address(user_id: UUID | str) -> str:
    """The address of all sockets of the user, on all devices."""
    return f"user.{user_id}"


def session_address(session_id: UUID | str) -> str:
    """The address of all sockets that use an access token of the session."""
    return f"session.{session_id}"
